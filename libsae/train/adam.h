/* Adam (Kingma & Ba 2015, arXiv 1412.6980) on the parameters of an SAE, latent by latent. */
#ifndef SAEI_ADAM_H
#define SAEI_ADAM_H

#include "train/objective.h"

typedef struct saei_adam {
    saei_parameters m, v; /* first and second moments */
    double beta1, beta2, epsilon;
    bool unit_rows; /* decoder rows are brought back to unit length */
} saei_adam;

sae_status saei_adam_new(saei_adam *out, sae_context *context, const saei_parameters *shape, double beta1,
                         double beta2, double epsilon, bool unit_rows, sae_error *err);
void saei_adam_free(saei_adam *adam, sae_context *context);

/* The constants of one step. */
typedef struct saei_adam_step {
    saei_parameters *parameters;
    saei_adam *adam;
    float beta1, beta2, one_minus_beta1, one_minus_beta2;
    float rate; /* learning rate / (1 − β1^t) */
    float root; /* 1 / √(1 − β2^t) */
    float epsilon, gradient_scale;
} saei_adam_step;

/* Step number t ≥ 1 with gradients times gradient_scale (the clipping factor). */
saei_adam_step saei_adam_begin(saei_parameters *parameters, saei_adam *adam, uint64_t t, double learning_rate,
                               double gradient_scale);

/* Updates the latents whose gradients it receives, different ones at once if need be. */
saei_gradient_receiver saei_adam_receiver(saei_adam_step *step);

void saei_adam_update_b_dec(const saei_adam_step *step, const float *gradient);

#endif
