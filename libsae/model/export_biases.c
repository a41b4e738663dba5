/* Biases of an encoder that takes rows as they are. */
#include "base/memory.h"
#include "base/parallel.h"
#include "model/export.h"

#include <math.h>

enum { TASK_LATENTS = 64 };

typedef struct bias_job {
    saei_export_biases out;
    const sae_model *model;
} bias_job;

static void shift_biases(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const bias_job *job = arg;
    const sae_model *model = job->model;
    size_t end = saei_min_size((task + 1) * TASK_LATENTS, model->n_latents);
    for (size_t j = task * TASK_LATENTS; j < end; j++) {
        double product = 0;
        for (size_t i = 0; i < model->d; i++)
            product += (double)model->b_dec[i] * (double)model->W_enc[j * model->d + i];
        job->out.b_enc[j] = (float)((double)model->b_enc[j] - product);
        if (job->out.b_mag != NULL)
            job->out.b_mag[j] = (float)((double)model->b_mag[j] - exp((double)model->r_mag[j]) * product);
    }
}

sae_status saei_export_biases_new(saei_export_biases *out, const sae_model *model, sae_error *err)
{
    size_t F = model->n_latents, vectors = model->b_mag != NULL ? 2 : 1;
    *out = (saei_export_biases){0};
    sae_status status = saei_alloc(&out->b_enc, model->context, saei_mul(vectors, F), sizeof(float), err);
    if (status != SAE_OK)
        return status;
    out->b_mag = model->b_mag != NULL ? out->b_enc + F : NULL;
    saei_parallel_for(model->context, (F + TASK_LATENTS - 1) / TASK_LATENTS, shift_biases,
                      &(bias_job){*out, model});
    return SAE_OK;
}

void saei_export_biases_release(saei_export_biases *biases, sae_context *context)
{
    saei_free(context, biases->b_enc);
}
