/* The codes of a batch, latent by latent: the transpose of a sparse matrix. */
#ifndef SAEI_LATENT_INDEX_H
#define SAEI_LATENT_INDEX_H

#include "num/encoder.h"

/* For latent j the entries start[j] .. start[j + 1] - 1, rows ascending. */
typedef struct saei_latent_index {
    size_t *start; /* [F + 1] */
    uint32_t *row; /* [rows * k] */
    float *value;  /* [rows * k] */
} saei_latent_index;

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, sae_error *err);
void saei_latent_index_free(saei_latent_index *index, sae_context *context);

/* A counting sort of the slots by latent. */
void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *slots, size_t n_latents,
                             size_t rows, size_t k);

#endif
