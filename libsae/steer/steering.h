/* The inside of sae_steering; only steer/ looks at it. */
#ifndef SAEI_STEERING_H
#define SAEI_STEERING_H

#include "sae/steer.h"

struct sae_steering {
    const sae_model *model;
    sae_context *context;
    size_t d, n; /* width, latents */
    sae_steer_op op;
    double strength, mean_norm;
    uint32_t *latents; /* [n] */
    double *weights;   /* [n] */
    float *direction;  /* [d] v, or u where mean_norm > 0 */
    double factor;     /* of direction, for add */
    double *basis;     /* [rank, d] orthonormal rows, for project-out */
    size_t rank;
    sae_codes *codes; /* of the rows at hand */
};

/* u [d] of the options' latents and weights, in double. Errors as sae_steering_new. */
sae_status saei_steer_unit(double *u, const sae_model *model, const sae_steer_options *options,
                           sae_error *err);

/* Whether what is added to a row is in units of its own scale: activations are, where the model normalises
 * rows. */
bool saei_steering_scales_rows(const sae_steering *steering);

/* The activation of a latent on a row; 0 when it is not active. */
double saei_activation_of(const sae_codes_view *codes, size_t row, uint32_t latent);

#endif
