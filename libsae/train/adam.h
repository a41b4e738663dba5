/* Adam (Kingma & Ba 2015, arXiv 1412.6980) with the SAE's constraint: decoder rows keep unit length. */
#ifndef SAEI_ADAM_H
#define SAEI_ADAM_H

#include "train/parameters.h"

typedef struct saei_adam {
    saei_parameters m, v; /* first and second moments */
    double beta1, beta2, epsilon;
} saei_adam;

sae_status saei_adam_new(saei_adam *out, sae_context *context, size_t d, size_t n_latents, double beta1,
                         double beta2, double epsilon, sae_error *err);
void saei_adam_free(saei_adam *adam, sae_context *context);

/* Step number t ≥ 1 with the gradient times gradient_scale (the clipping factor). */
void saei_adam_step(saei_parameters *parameters, saei_adam *adam, const saei_parameters *gradient, uint64_t t,
                    double learning_rate, double gradient_scale, sae_context *context);

#endif
