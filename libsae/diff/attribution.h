/* Δ-attribution: which latents' directions carry the part of the loss that separates bad completions from
   good ones, to first order. docs/METHODS.md, "Rankers". */
#ifndef SAEI_ATTRIBUTION_H
#define SAEI_ATTRIBUTION_H

#include "apply/groups.h"
#include "apply/pass.h"

/* Sums over the rows a_t of a pass and the gradients g_t = ∂loss/∂a_t beside them. Of token t and latent j
   the attribution is −(g_t·d_j)((a_t − ā)·d_j), averaged over the tokens of a prompt, then over prompts: that
   is −d_jᵀ C d_j with the [d, d] matrix C = mean of g (a − ā)ᵀ, so that nothing is kept for a latent while
   rows are read. O(rows d²) time instead of O(rows F d), O(d²) memory. */
typedef struct saei_attribution saei_attribution;

/* SAE_E_MISMATCH when gradients are not row by row those of activations (saei_dump_same_rows; the columns
   of a gradient dump may be missing). groups are those of the rows and must outlive it, as gradients and
   row_weight [rows] (as for saei_profile_builder) must. */
sae_status saei_attribution_new(saei_attribution **out, const sae_dump *activations,
                                const sae_dump *gradients, const char *group, const saei_groups *groups,
                                const double *row_weight, sae_context *context, sae_error *err);
/* A saei_block_fn. */
sae_status saei_attribution_observe(void *attribution, const saei_block *block, sae_error *err);
void saei_attribution_free(saei_attribution *attribution);

/* out [F]: that of bad, minus that of good where given: two completions of the same prompts. ā is the mean
   over prompts of the mean row, over both when there are two. SAE_E_MISMATCH when their prompts differ.
   O(F d²) time. */
sae_status saei_attribution_scores(double *out, const saei_attribution *bad, const saei_attribution *good,
                                   const sae_model *model, sae_error *err);

#endif
