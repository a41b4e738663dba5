#include "train/parameters.h"
#include "base/memory.h"
#include "base/rng.h"
#include "num/rows.h"

#include <math.h>
#include <string.h>

sae_status saei_parameters_new(saei_parameters *out, sae_context *context, size_t d, size_t n_latents,
                               size_t n_extra, sae_error *err)
{
    size_t matrix = saei_mul(d, n_latents);
    saei_parameters p = {.d = d, .n_latents = n_latents, .n_extra = n_extra};
    p.count = saei_add(saei_mul(2, matrix), saei_add(saei_mul(1 + n_extra, n_latents), d));
    sae_status status = saei_alloc(&p.all, context, p.count, sizeof(float), err);
    if (status != SAE_OK)
        return status;
    p.W_enc = p.all;
    p.W_dec = p.W_enc + matrix;
    p.b_enc = p.W_dec + matrix;
    for (size_t i = 0; i < n_extra; i++)
        p.extra[i] = p.b_enc + (1 + i) * n_latents;
    p.b_dec = p.b_enc + (1 + n_extra) * n_latents;
    *out = p;
    return SAE_OK;
}

void saei_parameters_free(saei_parameters *parameters, sae_context *context)
{
    saei_free(context, parameters->all);
    *parameters = (saei_parameters){0};
}

void saei_parameters_init(saei_parameters *p, uint64_t seed, sae_directions_init directions, double length,
                          double bias)
{
    memset(p->b_enc, 0, (1 + p->n_extra) * p->n_latents * sizeof(float));
    for (size_t j = 0; j < p->n_latents; j++) {
        saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, j);
        float *row = p->W_dec + j * p->d;
        for (size_t i = 0; i < p->d; i++)
            row[i] = directions == SAE_DIRECTIONS_NORMAL ? (float)saei_rng_normal(&rng)
                                                         : (float)(2.0 * saei_rng_uniform(&rng) - 1.0);
        float scale = (float)(length / sqrt(saei_row_norm2(row, p->d)));
        for (size_t i = 0; i < p->d; i++)
            row[i] *= scale;
        memcpy(p->W_enc + j * p->d, row, p->d * sizeof *row);
        if (bias > 0.0)
            p->b_enc[j] = (float)(bias * (2.0 * saei_rng_uniform(&rng) - 1.0));
    }
}
