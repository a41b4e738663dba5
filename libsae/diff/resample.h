/* Permutation tests and bootstrap intervals for all latents at once.

   Every draw b is a weighting w_b of the units, and every statistic T_b = Σ_u w_b[u] v[u] over the units on
   which the latent has a value:
   - sign flips: w = ±1 / n
   - label permutations: w = 1 / n_y for n_y units drawn without replacement, −1 / n_x for the others;
     the given weights in random order when the effects have weights
   - bootstrap: w = (times drawn) / n_y, and −(times drawn) / n_x for the units of X

   Draws are made 64 at a time from (seed, index of the 64) alone: neither the order of the latents nor the
   thread count changes a bit. */
#ifndef SAEI_RESAMPLE_H
#define SAEI_RESAMPLE_H

#include "diff/effects.h"

enum {
    SAEI_DRAWS = 64,       /* draws of a block */
    SAEI_EXCEEDANCES = 100 /* a latent is settled after so many draws at least as extreme as the data */
};

typedef struct saei_resampling {
    uint64_t seed, draws;
    bool one_sided;           /* of a permutation: only a rise counts */
    sae_progress_fn progress; /* may be NULL */
    void *progress_user;
} saei_resampling;

/* p [n_latents]: a draw exceeds when |T_b| ≥ |T| (1 − 1e-12), the margin for another order of addition;
   one-sided, when T_b ≥ T − 1e-12 |T|. Sequential (Besag & Clifford 1991): h / l when exceedance h =
   SAEI_EXCEEDANCES came with draw l, else (exceedances + 1) / (draws + 1). Latents without a value: 1. */
sae_status saei_permutation_p(double *p, const saei_effects *effects, const saei_resampling *resampling,
                              sae_error *err);

/* low, high [n_latents]: symmetric studentised interval (Hall 1988): estimate ± se · (the quantile over the
   draws of |T_b − T| / se_b). ±∞ when so many draws have no spread that the quantile is one of them; NaN when
   draws is 0 or a side has one prompt. */
sae_status saei_bootstrap_interval(double *low, double *high, const saei_effects *effects, double confidence,
                                   const saei_resampling *resampling, sae_error *err);

/* out [64] = Σ_i weights[unit[i]] value[i], weights [units, 64]; out and weights on multiples of 32 bytes. */
void saei_draw_sums(double *out, const double *weights, const uint32_t *unit, const double *value, size_t n);

#endif
