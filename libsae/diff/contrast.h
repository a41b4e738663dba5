/* The figures of a comparison for all latents. */
#ifndef SAEI_CONTRAST_H
#define SAEI_CONTRAST_H

#include "diff/rank_interval.h"

typedef struct saei_contrast_options {
    uint64_t permutations;
    size_t bootstrap;
    double confidence;
    uint64_t seed;
    sae_progress_fn progress; /* may be NULL */
    void *progress_user;
    uint64_t family_draws;
    /* Rank intervals: [n_candidates] for the given latents, from the draws of the bootstrap. n_candidates =
       0: none; they are left alone when there is no bootstrap, and when a side has one prompt. */
    saei_rank_interval *rank_intervals;
    const uint32_t *candidates;
    size_t n_candidates;
    sae_direction direction;
} saei_contrast_options;

/* out [n_latents]. With one prompt on a side where two are needed for a variance, se, effect, t and the
   interval are NaN. */
sae_status saei_contrast_all(sae_contrast *out, const saei_effects *effects,
                             const saei_contrast_options *options, sae_error *err);

/* estimate, se and effect of one latent from its values on the units; the rest is left alone. */
void saei_contrast_moments(sae_contrast *out, const saei_effects *effects, size_t latent);

/* t = estimate / (se + s0), s0 the median se of the latents that fire (Tusher, Tibshirani & Chu 2001). */
sae_status saei_moderate(sae_contrast *contrasts, const saei_effects *effects, sae_error *err);

#endif
