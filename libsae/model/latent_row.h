/* The activations of a few latents on one row, without allocating: for programs that watch a model at work.
 */
#ifndef SAEI_LATENT_ROW_H
#define SAEI_LATENT_ROW_H

#include "sae/model.h"

typedef struct saei_latent_row saei_latent_row;

/* What one row needs: d floats, the k slots of a TopK model, scratch. Borrows the model. For one thread. */
sae_status saei_latent_row_new(saei_latent_row **out, const sae_model *model, sae_error *err);
void saei_latent_row_free(saei_latent_row *row);

/* value [n]: f_j(x) of the latents [n], ascending; x [d] finite. The bits are those of sae_model_encode. TopK
   needs the scores of all latents, which are screened; else the cost is n products of d numbers. */
void saei_latent_row_read(float *value, saei_latent_row *row, const uint32_t *latent, size_t n,
                          const float *x);

#endif
