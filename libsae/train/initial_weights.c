/* What a new run begins with. */
#include "base/memory.h"
#include "num/geometric_median.h"
#include "train/trainer.h"

#include <math.h>

void saei_trainer_set_scale(sae_trainer *t, const saei_dump_scan_result *scan)
{
    switch (t->options.input_scale) {
    case SAE_SCALE_RMS_NORM:
        t->scale = 1.0 / sqrt(scan->mean_square);
        return;
    case SAE_SCALE_MEAN_NORM:
        t->scale = sqrt((double)t->d) / scan->mean_norm;
        return;
    case SAE_SCALE_NONE:
        t->scale = 1.0;
        return;
    case SAE_SCALE_VARIANCE:
        break;
    }
    t->scale = 1.0 / sqrt(scan->variance);
}

bool saei_trainer_wants_rows(const sae_trainer *t)
{
    return t->options.start == NULL && t->options.b_dec_init == SAE_B_DEC_GEOMETRIC_MEDIAN;
}

/* The geometric median of the first batch, in scaled units. */
static sae_status median_of_batch(sae_trainer *t, sae_error *err)
{
    size_t d = (size_t)t->d, n = t->options.batch_rows;
    float *x = t->objective.xc;
    double *work;
    sae_status status = saei_alloc(&work, t->context, saei_mul(2, d), sizeof *work, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n * d; i++)
        x[i] *= (float)t->scale;
    saei_geometric_median(t->parameters.b_dec, x, n, d, work);
    saei_free(t->context, work);
    return SAE_OK;
}

static sae_status draw_weights(sae_trainer *t, const double *mean, sae_error *err)
{
    const sae_train_options *o = &t->options;
    saei_parameters *p = &t->parameters;
    double bias = o->b_enc_init == SAE_B_ENC_UNIFORM ? 1.0 / sqrt((double)p->d) : 0.0;
    saei_parameters_init(p, o->seed, o->directions_init, o->start_norm, bias);
    if (o->architecture == SAE_ARCH_JUMPRELU)
        for (size_t j = 0; j < p->n_latents; j++)
            p->extra[0][j] = (float)o->threshold_start;
    if (o->b_dec_init == SAE_B_DEC_GEOMETRIC_MEDIAN)
        return median_of_batch(t, err);
    for (size_t i = 0; i < p->d; i++)
        p->b_dec[i] = o->b_dec_init == SAE_B_DEC_MEAN ? (float)(t->scale * mean[i]) : 0.0f;
    return SAE_OK;
}

sae_status saei_trainer_init_weights(sae_trainer *t, const double *mean, sae_error *err)
{
    sae_status status = SAE_OK;
    if (t->options.start != NULL)
        saei_trainer_start_from(t, t->options.start);
    else
        status = draw_weights(t, mean, err);
    t->options.start = NULL;
    saei_objective_pack(&t->objective, &t->parameters);
    return status;
}
