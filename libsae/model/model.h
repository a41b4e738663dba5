/* The inside of a model. */
#ifndef SAEI_MODEL_H
#define SAEI_MODEL_H

#include "io/safetensors.h"
#include "num/encoder.h"
#include "num/panels.h"
#include "sae/model.h"

struct sae_model {
    sae_context *context;
    size_t d, n_latents, k;
    sae_activation activation;
    sae_row_norm row_norm;
    float *W_enc, *b_enc, *W_dec, *b_dec; /* one allocation, that of W_enc */
    float *threshold;                     /* JumpReLU; in the same allocation, as what follows */
    float *r_mag, *b_mag;                 /* gated */
    float *gain, *gate, *no_bias;         /* gated, from the parameters: exp(r_mag), −b_enc, zeros */
    saei_panels *panels;                  /* W_enc for screening */
    saei_metadata *metadata;              /* sorted by key; strings owned */
    size_t n_metadata;
};

/* A model with the d, n_latents, activation, k and row_norm of `shape` and with zero weights, to be filled,
   then checked, before it is handed out. */
sae_status saei_model_alloc(sae_model **out, sae_context *context, const sae_params *shape, sae_error *err);

/* After the parameters were filled in: checks their values and makes what encoding derives from them. The
   error names the tensor and `where`. */
sae_status saei_model_complete(sae_model *model, const char *where, sae_error *err);

/* What the kernels need to encode with k slots a row. For a gated model the values are xc · W_enc without the
   bias of the gate. */
saei_encoder saei_model_encoder(const sae_model *model, size_t k);

/* The vectors of length F that the activation has beside b_enc. Returns their number. */
enum { SAEI_MODEL_VECTORS_MAX = 2 };
typedef struct saei_model_vector {
    const char *name;
    float *values; /* [F] */
} saei_model_vector;
size_t saei_model_vectors(saei_model_vector out[SAEI_MODEL_VECTORS_MAX], const sae_model *model);

/* Adds or replaces a metadata entry; only while the model is being built. */
sae_status saei_model_set_metadata(sae_model *model, const char *key, const char *value, sae_error *err);
void saei_model_free_metadata(sae_model *model);

#endif
