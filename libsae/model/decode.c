#include "base/error.h"
#include "base/parallel.h"
#include "model/row_norm.h"
#include "model/model.h"

#include <string.h>

typedef struct decode_job {
    float *out;
    const sae_model *model;
    sae_codes_view codes;
} decode_job;

static void decode_tile(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const decode_job *job = arg;
    const sae_model *model = job->model;
    size_t end =
        (task + 1) * SAEI_TILE_ROWS < job->codes.rows ? (task + 1) * SAEI_TILE_ROWS : job->codes.rows;
    bool normalised = model->row_norm != SAE_NO_ROW_NORM;
    for (size_t r = task * SAEI_TILE_ROWS; r < end; r++) {
        float *out = job->out + r * model->d;
        uint64_t start = job->codes.row_ptr[r];
        memcpy(out, model->b_dec, model->d * sizeof(float));
        saei_decode_row(out, model->W_dec, model->d, job->codes.latent + start, job->codes.value + start,
                        (size_t)(job->codes.row_ptr[r + 1] - start));
        if (normalised)
            saei_row_restore(out, (saei_row_frame){job->codes.row_shift[r], job->codes.row_scale[r]},
                             model->d);
    }
}

sae_status sae_model_decode(float *out, const sae_model *model, sae_codes_view codes, sae_error *err)
{
    for (uint64_t i = 0; codes.rows > 0 && i < codes.row_ptr[codes.rows]; i++)
        if (codes.latent[i] >= model->n_latents)
            return saei_fail(err, SAE_E_MISMATCH, "codes name latent %u, the model has %zu",
                             (unsigned)codes.latent[i], model->n_latents);
    if (model->row_norm != SAE_NO_ROW_NORM && (codes.row_shift == NULL || codes.row_scale == NULL))
        return saei_fail(
            err, SAE_E_MISMATCH,
            "the model normalises each row by itself (%s): codes without row_shift and row_scale "
            "do not say what their rows were; take those of sae_codes_get",
            sae_row_norm_name(model->row_norm));
    decode_job job = {out, model, codes};
    saei_parallel_for(model->context, (codes.rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS, decode_tile, &job);
    return SAE_OK;
}
