/* The inside of a model. */
#ifndef SAEI_MODEL_H
#define SAEI_MODEL_H

#include "io/safetensors.h"
#include "sae/model.h"

struct sae_model {
    sae_context *context;
    size_t d, n_latents, k;
    float *W_enc, *b_enc, *W_dec, *b_dec; /* one allocation, that of W_enc */
    saei_metadata *metadata;              /* sorted by key; strings owned */
    size_t n_metadata;
};

/* A model of the given size with zero weights, to be filled before it is handed out. */
sae_status saei_model_alloc(sae_model **out, sae_context *context, size_t d, size_t n_latents, size_t k,
                            sae_error *err);

/* SAE_E_NONFINITE, naming the tensor and `where`, unless all weights are finite. */
sae_status saei_model_check_finite(const sae_model *model, const char *where, sae_error *err);

/* Adds or replaces a metadata entry; only while the model is being built. */
sae_status saei_model_set_metadata(sae_model *model, const char *key, const char *value, sae_error *err);

#endif
