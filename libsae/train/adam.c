#include "train/adam.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/rows.h"
#include "num/simd.h"

#include <math.h>

enum { CHUNK_LATENTS = 32 };

typedef struct adam_factors {
    float beta1, beta2, one_minus_beta1, one_minus_beta2;
    float rate; /* learning rate / (1 − β1^t) */
    float root; /* 1 / √(1 − β2^t) */
    float epsilon, gradient_scale;
} adam_factors;

typedef struct adam_job {
    saei_parameters *p;
    saei_adam *adam;
    const saei_parameters *g;
    adam_factors factors;
} adam_job;

sae_status saei_adam_new(saei_adam *out, sae_context *context, size_t d, size_t n_latents, double beta1,
                         double beta2, double epsilon, sae_error *err)
{
    saei_adam adam = {.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon};
    sae_status status = saei_parameters_new(&adam.m, context, d, n_latents, err);
    if (status == SAE_OK)
        status = saei_parameters_new(&adam.v, context, d, n_latents, err);
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

SAEI_CLONES static void update(float *restrict p, float *restrict m, float *restrict v,
                               const float *restrict g, size_t n, const adam_factors *f)
{
    const adam_factors c = *f;
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] * c.gradient_scale;
        m[i] = c.beta1 * m[i] + c.one_minus_beta1 * gradient;
        v[i] = c.beta2 * v[i] + c.one_minus_beta2 * (gradient * gradient);
        p[i] -= c.rate * m[i] / (sqrtf(v[i]) * c.root + c.epsilon);
    }
}

static void update_at(const adam_job *job, const float *where, size_t n)
{
    size_t at = (size_t)(where - job->p->all);
    update(job->p->all + at, job->adam->m.all + at, job->adam->v.all + at, job->g->all + at, n,
           &job->factors);
}

static void update_chunk(void *arg, size_t chunk, unsigned worker)
{
    (void)worker;
    const adam_job *job = arg;
    const saei_parameters *p = job->p;
    size_t d = p->d, first = chunk * CHUNK_LATENTS;
    size_t n = p->n_latents - first < CHUNK_LATENTS ? p->n_latents - first : CHUNK_LATENTS;
    update_at(job, p->W_enc + first * d, n * d);
    update_at(job, p->W_dec + first * d, n * d);
    update_at(job, p->b_enc + first, n);
    for (size_t j = first; j < first + n; j++) {
        float *row = p->W_dec + j * d;
        float scale = (float)(1.0 / sqrt(saei_row_norm2(row, d)));
        for (size_t i = 0; i < d; i++)
            row[i] *= scale;
    }
}

void saei_adam_step(saei_parameters *parameters, saei_adam *adam, const saei_parameters *gradient, uint64_t t,
                    double learning_rate, double gradient_scale, sae_context *context)
{
    adam_job job = {.p = parameters, .adam = adam, .g = gradient};
    job.factors = (adam_factors){.beta1 = (float)adam->beta1,
                                 .beta2 = (float)adam->beta2,
                                 .one_minus_beta1 = (float)(1.0 - adam->beta1),
                                 .one_minus_beta2 = (float)(1.0 - adam->beta2),
                                 .rate = (float)(learning_rate / (1.0 - pow(adam->beta1, (double)t))),
                                 .root = (float)(1.0 / sqrt(1.0 - pow(adam->beta2, (double)t))),
                                 .epsilon = (float)adam->epsilon,
                                 .gradient_scale = (float)gradient_scale};
    size_t chunks = (parameters->n_latents + CHUNK_LATENTS - 1) / CHUNK_LATENTS;
    saei_parallel_for(context, chunks, update_chunk, &job);
    update_at(&job, parameters->b_dec, parameters->d);
}
