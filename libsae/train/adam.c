#include "train/adam.h"
#include "num/rows.h"
#include "num/simd.h"

#include <math.h>

sae_status saei_adam_new(saei_adam *out, sae_context *context, const saei_parameters *shape, double beta1,
                         double beta2, double epsilon, bool unit_rows, sae_error *err)
{
    saei_adam adam = {.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .unit_rows = unit_rows};
    sae_status status =
        saei_parameters_new(&adam.m, context, shape->d, shape->n_latents, shape->n_extra, err);
    if (status == SAE_OK)
        status = saei_parameters_new(&adam.v, context, shape->d, shape->n_latents, shape->n_extra, err);
    if (status != SAE_OK) {
        saei_adam_free(&adam, context);
        return status;
    }
    *out = adam;
    return SAE_OK;
}

void saei_adam_free(saei_adam *adam, sae_context *context)
{
    saei_parameters_free(&adam->m, context);
    saei_parameters_free(&adam->v, context);
}

saei_adam_step saei_adam_begin(saei_parameters *parameters, saei_adam *adam, uint64_t t, double learning_rate,
                               double gradient_scale)
{
    return (saei_adam_step){.parameters = parameters,
                            .adam = adam,
                            .beta1 = (float)adam->beta1,
                            .beta2 = (float)adam->beta2,
                            .one_minus_beta1 = (float)(1.0 - adam->beta1),
                            .one_minus_beta2 = (float)(1.0 - adam->beta2),
                            .rate = (float)(learning_rate / (1.0 - pow(adam->beta1, (double)t))),
                            .root = (float)(1.0 / sqrt(1.0 - pow(adam->beta2, (double)t))),
                            .epsilon = (float)adam->epsilon,
                            .gradient_scale = (float)gradient_scale};
}

SAEI_CLONES static void update(float *restrict p, float *restrict m, float *restrict v,
                               const float *restrict g, size_t n, const saei_adam_step *step)
{
    const saei_adam_step c = *step;
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] * c.gradient_scale;
        m[i] = c.beta1 * m[i] + c.one_minus_beta1 * gradient;
        v[i] = c.beta2 * v[i] + c.one_minus_beta2 * (gradient * gradient);
        p[i] -= c.rate * m[i] / (sqrtf(v[i]) * c.root + c.epsilon);
    }
}

static void update_at(const saei_adam_step *step, const float *where, const float *gradient, size_t n)
{
    size_t at = (size_t)(where - step->parameters->all);
    update(step->parameters->all + at, step->adam->m.all + at, step->adam->v.all + at, gradient, n, step);
}

SAEI_CLONES static void scale(float *w, float factor, size_t d)
{
    for (size_t i = 0; i < d; i++)
        w[i] *= factor;
}

static void normalise(float *w, size_t d)
{
    scale(w, (float)(1.0 / sqrt(saei_row_norm2(w, d))), d);
}

static void update_latent(void *arg, const saei_latent_gradient *gradient)
{
    const saei_adam_step *step = arg;
    const saei_parameters *p = step->parameters;
    size_t d = p->d, j = gradient->latent;
    if (gradient->W_dec != NULL) {
        update_at(step, p->W_dec + j * d, gradient->W_dec, d);
        if (step->adam->unit_rows)
            normalise(p->W_dec + j * d, d);
    }
    if (gradient->W_enc == NULL)
        return;
    update_at(step, p->W_enc + j * d, gradient->W_enc, d);
    update_at(step, p->b_enc + j, &gradient->b_enc, 1);
    for (size_t i = 0; i < p->n_extra; i++)
        update_at(step, p->extra[i] + j, &gradient->extra[i], 1);
}

saei_gradient_receiver saei_adam_receiver(saei_adam_step *step)
{
    return (saei_gradient_receiver){update_latent, step, {step->parameters, &step->adam->m, &step->adam->v}};
}

void saei_adam_update_b_dec(const saei_adam_step *step, const float *gradient)
{
    update_at(step, step->parameters->b_dec, gradient, step->parameters->d);
}
