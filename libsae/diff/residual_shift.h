/* The shift of the mean residual between two conditions, and what the latents have to do with it. */
#ifndef SAEI_RESIDUAL_SHIFT_H
#define SAEI_RESIDUAL_SHIFT_H

#include "apply/groups.h"
#include "apply/pass.h"
#include "sae/diff.h"

/* The mean over prompts of the mean row of each, from the blocks of a pass. Rows are first normalised as the
   model does it (saei_row_normalise): there, and only there, its reconstruction is linear in its latents.
   O(d) memory beside a weight for each prompt. groups are those of the same rows and must outlive it, as must
   row_weight. */
typedef struct saei_residual_mean saei_residual_mean;

/* row_weight [rows] >= 0, not all 0 within a prompt; NULL: all 1. */
sae_status saei_residual_mean_new(saei_residual_mean **out, sae_context *context, const saei_groups *groups,
                                  const double *row_weight, size_t d, sae_row_norm norm, sae_error *err);
/* A saei_block_fn. */
sae_status saei_residual_mean_observe(void *mean, const saei_block *block, sae_error *err);
/* [d], owned by mean; whole when all rows were seen. */
const double *saei_residual_mean_get(const saei_residual_mean *mean);
void saei_residual_mean_free(saei_residual_mean *mean);

/* A shift and the rises of the latents that belong to it: after − before, or after − control for the excess
   (before cancels in both). */
typedef struct saei_residual_shift {
    const sae_model *model;
    const double *before; /* [d] mean residual of before or of the control */
    const double *after;  /* [d] */
    const double *delta;  /* [F] rise of the mean activation between the same two */
} saei_residual_shift;

/* latents [F], or NULL. top [n_top] may be NULL when n_top is 0: entry i is about the first i + 1 latents of
   order, which holds at least n_top different ones. O(F d) time. The result does not depend on the number of
   threads. */
sae_status saei_residual_shift_explain(sae_shift_summary *summary, sae_latent_shift *latents,
                                       sae_shift_top *top, const saei_residual_shift *shift,
                                       const uint32_t *order, size_t n_top, sae_error *err);

#endif
