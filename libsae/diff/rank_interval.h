/* Intervals of ranks: in each bootstrap draw, the first latents race against all others. */
#ifndef SAEI_RANK_INTERVAL_H
#define SAEI_RANK_INTERVAL_H

#include "diff/bootstrap.h"

typedef struct saei_rank_interval {
    double low, high; /* whole numbers from 1 */
} saei_rank_interval;

/* The rank of a latent in a draw is 1 + the latents whose estimate comes before its own (larger, smaller or
   of larger magnitude, by the direction); equal ones share the best rank. Memory: 20 bytes for each draw and
   candidate, whatever the number of latents. */
typedef struct saei_rank_race {
    const saei_effects *effects;
    sae_direction direction;
    uint32_t n_silent; /* latents without a value: 0 in every draw */
    size_t n_candidates, n_draws;
    double *own;     /* [n_candidates, n_draws] keys of the candidates: a larger key comes earlier */
    double *key;     /* [n_draws, n_candidates] the same, ascending in each draw */
    uint32_t *ahead; /* [n_draws, n_candidates + 1] latents that are ahead of exactly so many candidates */
} saei_rank_race;

/* candidates [n_candidates ≥ 1]; their draws are those of saei_bootstrap_interval_and_race with the same
   effects and resampling, draws ≥ 1. Release in every case. */
sae_status saei_rank_race_alloc(saei_rank_race *race, const saei_effects *effects, const uint32_t *candidates,
                                size_t n_candidates, sae_direction direction,
                                const saei_resampling *resampling, sae_error *err);
void saei_rank_race_release(saei_rank_race *race);

/* Counts the first n latents in the tables of the bootstrap: every latent with values once, candidates too.
 */
void saei_rank_race_run(saei_rank_race *race, const saei_bootstrap *bootstrap, size_t n);

/* intervals [n_candidates]: the shortest central interval of order statistics with at least `confidence` of
   the draws. Uses the race up. */
void saei_rank_race_finish(saei_rank_interval *intervals, saei_rank_race *race, double confidence);

/* saei_bootstrap_interval, whose draws run the race too. race may be NULL. */
sae_status saei_bootstrap_interval_and_race(double *low, double *high, saei_rank_race *race,
                                            const saei_effects *effects, double confidence,
                                            const saei_resampling *resampling, sae_error *err);

#endif
