/* The parameters of an SAE during training, and arrays of their shape: gradients, Adam's moments. */
#ifndef SAEI_PARAMETERS_H
#define SAEI_PARAMETERS_H

#include "sae/train.h"

enum { SAEI_EXTRAS_MAX = 2 };

/* One block of floats. Both matrices are latent-major, so that what belongs to a latent lies together. */
typedef struct saei_parameters {
    size_t d, n_latents, n_extra;
    size_t count;                  /* (2 d + 1 + n_extra) F + d */
    float *all;                    /* [count] = W_enc, W_dec, b_enc, extra, b_dec */
    float *W_enc;                  /* [F, d], the transpose of the file's W_enc */
    float *W_dec;                  /* [F, d] */
    float *b_enc;                  /* [F] */
    float *extra[SAEI_EXTRAS_MAX]; /* [F] each: what an architecture has beside them, such as thresholds */
    float *b_dec;                  /* [d] */
} saei_parameters;

sae_status saei_parameters_new(saei_parameters *out, sae_context *context, size_t d, size_t n_latents,
                               size_t n_extra, sae_error *err);
void saei_parameters_free(saei_parameters *parameters, sae_context *context);

/* Rows of random directions and the given length, the same in W_enc as in W_dec; b_enc uniform in ±bias;
   extras 0; b_dec is left to the caller. Neither length nor bias changes what is drawn for the directions. */
void saei_parameters_init(saei_parameters *parameters, uint64_t seed, sae_directions_init directions,
                          double length, double bias);

#endif
