/* The codes of a batch, latent by latent: the transpose of a sparse matrix. */
#ifndef SAEI_LATENT_INDEX_H
#define SAEI_LATENT_INDEX_H

#include "num/encoder.h"
#include "num/latent_places.h"
#include "num/rows.h"

/* For latent j the entries places.start[j] .. places.start[j + 1] - 1, rows ascending. */
typedef struct saei_latent_index {
    sae_context *context;
    size_t n; /* entries */
    saei_latent_places places;
    uint32_t *row; /* [rows * k] */
    float *value;  /* [rows * k] */
    float *g;      /* [rows * k]: a number that goes with each value */
    float *g_gate; /* [rows * k]: a second one, when asked for */
    float *gate;   /* [rows * k] room for another value, with g_gate */
} saei_latent_index;

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, bool gated, sae_error *err);
void saei_latent_index_free(saei_latent_index *index, sae_context *context);
size_t saei_latent_index_bytes(size_t n_latents, size_t rows, size_t k, bool gated);

/* A counting sort of the codes, with the numbers g, and g_gate when it is not NULL, that go with them [rows,
   k]. Any n_latents, rows and k up to those it was made for. */
void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *codes, const float *g,
                             const float *g_gate, size_t n_latents, size_t rows, size_t k);

/* The rows of base in the entries of latent j, after which come those of the next latents. */
saei_named_rows saei_latent_index_rows(const saei_latent_index *index, size_t j, const float *base,
                                       size_t stride);

#endif
