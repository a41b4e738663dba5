/* Latent scaling: whether a latent that a crosscoder gives to one model alone is really absent from the
 * other. */
#ifndef SAEI_LATENT_SCALING_H
#define SAEI_LATENT_SCALING_H

#include "apply/pass.h"
#include "sae/diff.h"

/* Sums over the rows of a pair, for every latent: memory O(F), and what a block of rows takes. */
typedef struct saei_latent_scaling saei_latent_scaling;

/* The model has an even width: the first half of a row is the model before, the second the model after. */
sae_status saei_latent_scaling_new(saei_latent_scaling **out, const sae_model *model, sae_error *err);
void saei_latent_scaling_free(saei_latent_scaling *scaling);

/* A saei_block_fn; block->xhat must be there. */
sae_status saei_latent_scaling_observe(void *scaling, const saei_block *block, sae_error *err);

/* out [F] */
void saei_latent_scaling_finish(sae_cross_latent *out, const saei_latent_scaling *scaling,
                                const sae_cross_options *options);

#endif
