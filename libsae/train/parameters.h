/* The parameters of an SAE during training, and arrays of their shape: gradients, Adam's moments. */
#ifndef SAEI_PARAMETERS_H
#define SAEI_PARAMETERS_H

#include "sae/base.h"

/* One block of floats. Both matrices are latent-major, so that what belongs to a latent lies together. */
typedef struct saei_parameters {
    size_t d, n_latents, count; /* count = 2 F d + F + d */
    float *all;                 /* [count] = W_enc, W_dec, b_enc, b_dec */
    float *W_enc;               /* [F, d] */
    float *W_dec;               /* [F, d], unit rows */
    float *b_enc;               /* [F] */
    float *b_dec;               /* [d] */
} saei_parameters;

sae_status saei_parameters_new(saei_parameters *out, sae_context *context, size_t d, size_t n_latents,
                               sae_error *err);
void saei_parameters_free(saei_parameters *parameters, sae_context *context);

/* Unit decoder rows uniform on the sphere, W_enc = W_dec (tied), b_enc = 0; b_dec is left to the caller. */
void saei_parameters_init(saei_parameters *parameters, uint64_t seed);

#endif
