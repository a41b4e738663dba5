/* Directions for steering the model with a latent. */
#ifndef SAE_STEER_H
#define SAE_STEER_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The decoder row of a latent, out [d]; unit: divided by its Euclidean norm. SAE_E_NOT_FOUND: no such latent. */
SAE_API sae_status sae_model_direction(float *out, const sae_model *model, uint32_t latent, bool unit,
                                       sae_error *err);

/* Writes values [n] as a one-dimensional float32 .npy, crash-safe. */
SAE_API sae_status sae_vector_save(const float *values, size_t n, sae_context *context, const char *path,
                                   bool overwrite, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif
