/* Conditions in an order, each against one control: what dose-responses and trajectories have in common. */
#ifndef SAEI_SERIES_H
#define SAEI_SERIES_H

#include "diff/effects.h"

typedef struct saei_series {
    const saei_profile *control;
    const saei_profile *const *profiles; /* [n] */
    const double *at;                    /* [n] doses or steps, ascending */
    const bool *paired;                  /* [n] the condition holds the control's prompts */
    size_t n;
    const saei_profile *const
        *controls; /* [n_controls] the runs whose mean `control` is, for their spread; or NULL */
    size_t n_controls;
    const uint32_t *latents; /* [n_latents] those to look at; NULL: all */
    size_t n_latents;
    double alpha;          /* level of every decision, 0 < alpha < 1 */
    uint64_t permutations; /* draws at most; 0: 40 per latent of the model and condition, 10^4 … 10^6 */
    uint64_t seed;
    sae_progress_fn progress; /* may be NULL */
    void *progress_user;
} saei_series;

/* Fails with SAE_E_ARGUMENT: no condition, alpha out of range, positions not ascending; SAE_E_MISMATCH:
   profiles of different models, or paired conditions with other numbers of prompts. */
sae_status saei_series_check(const saei_series *series, sae_error *err);

/* The same conditions with profiles of the chosen latents alone (copies; those of `series` without a choice),
   latents and n_latents kept as the names of their entries. Release in every case. */
typedef struct saei_series_part {
    saei_series series;
    sae_context *context;
    saei_profile **owned; /* [n + 1] or NULL */
    size_t model_latents; /* of the profiles before the choice: the family of q */
} saei_series_part;
sae_status saei_series_part_new(saei_series_part *part, const saei_series *series, sae_error *err);
void saei_series_part_release(saei_series_part *part);

/* points [latents of the part, n]: every figure but `fit`, which is NaN. effects [n] may be NULL: gets the
   effects of each condition, to be freed by the caller, also on failure (NULL where not made). */
sae_status saei_series_points(sae_series_point *points, saei_effects **effects, const saei_series_part *part,
                              sae_error *err);

/* The index of a latent of the part in the model. */
static inline uint32_t saei_series_latent(const saei_series_part *part, size_t i)
{
    return part->series.latents != NULL ? part->series.latents[i] : (uint32_t)i;
}

/* Largest − smallest mean of the control runs for a latent of the model, what another run does to it; NaN
   with fewer than two. */
double saei_series_spread(const saei_series *series, uint32_t latent);

uint64_t saei_series_draws(const saei_series_part *part);

#endif
