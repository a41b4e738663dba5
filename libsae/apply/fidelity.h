/* Sums behind the figures of sae_fidelity, filled block by block so that one pass over a dump can serve more.
 */
#ifndef SAEI_FIDELITY_H
#define SAEI_FIDELITY_H

#include "apply/pass.h"

typedef struct saei_fidelity_sums saei_fidelity_sums;

sae_status saei_fidelity_new(saei_fidelity_sums **out, sae_context *context, size_t d, size_t n_latents,
                             sae_error *err);
void saei_fidelity_free(saei_fidelity_sums *sums);

/* A saei_block_fn over the sums; block->xhat must be there. */
sae_status saei_fidelity_observe(void *sums, const saei_block *block, sae_error *err);

/* NaN in fvu and explained_variance when the rows do not vary. */
sae_fidelity saei_fidelity_get(const saei_fidelity_sums *sums);

#endif
