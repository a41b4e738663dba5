#include "model/latent_row.h"
#include "base/memory.h"
#include "model/model.h"
#include "model/row_norm.h"
#include "num/rows.h"

struct saei_latent_row {
    const sae_model *model;
    float *xc;             /* [d] */
    saei_code_slots codes; /* TopK alone, as the scratch */
    float *scratch;
};

static sae_status allocate(saei_latent_row *row, sae_error *err)
{
    const sae_model *model = row->model;
    sae_status status = saei_alloc(&row->xc, model->context, model->d, sizeof *row->xc, err);
    if (status != SAE_OK || model->activation != SAE_TOPK)
        return status;
    size_t scratch = saei_encoder_scratch(model->d, model->n_latents, model->k, true);
    status = saei_code_slots_new(&row->codes, model->context, 1, model->k, err);
    if (status == SAE_OK)
        status = saei_alloc(&row->scratch, model->context, scratch, sizeof *row->scratch, err);
    return status;
}

sae_status saei_latent_row_new(saei_latent_row **out, const sae_model *model, sae_error *err)
{
    *out = NULL;
    saei_latent_row *row;
    sae_status status = saei_alloc(&row, model->context, 1, sizeof *row, err);
    if (status != SAE_OK)
        return status;
    row->model = model;
    status = allocate(row, err);
    if (status != SAE_OK) {
        saei_latent_row_free(row);
        return status;
    }
    *out = row;
    return SAE_OK;
}

void saei_latent_row_free(saei_latent_row *row)
{
    if (row == NULL)
        return;
    sae_context *context = row->model->context;
    saei_free(context, row->scratch);
    saei_code_slots_free(&row->codes, context);
    saei_free(context, row->xc);
    saei_free(context, row);
}

/* Codes and the latents asked for both ascend. */
static void pick(float *value, const saei_code_slots *codes, const uint32_t *latent, size_t n)
{
    uint32_t at = 0, count = codes->count[0];
    for (size_t i = 0; i < n; i++) {
        while (at < count && codes->latent[at] < latent[i])
            at++;
        value[i] = at < count && codes->latent[at] == latent[i] ? codes->value[at] : 0.0f;
    }
}

/* Without TopK a latent does not depend on the others. */
static float alone(const sae_model *model, const saei_encoder *encoder, const float *xc, uint32_t j)
{
    float score = saei_row_dot(xc, encoder->W_enc + (size_t)j * model->d, model->d) + encoder->b_enc[j];
    if (!(score > (encoder->floor != NULL ? encoder->floor[j] : 0.0f)))
        return 0.0f;
    if (model->activation != SAE_GATED)
        return score;
    float magnitude = model->gain[j] * score + model->b_mag[j];
    return magnitude > 0.0f ? magnitude : 0.0f;
}

void saei_latent_row_read(float *value, saei_latent_row *row, const uint32_t *latent, size_t n,
                          const float *x)
{
    const sae_model *model = row->model;
    saei_encoder encoder = saei_model_encoder(model, model->k);
    saei_model_centre(row->xc, model, x);
    if (model->activation == SAE_TOPK) {
        saei_encode_tile(row->codes, &encoder, row->xc, 0, 1, row->scratch);
        pick(value, &row->codes, latent, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        value[i] = alone(model, &encoder, row->xc, latent[i]);
}
