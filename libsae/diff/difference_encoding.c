#include "diff/difference_encoding.h"
#include "base/memory.h"
#include "diff/paired_rows.h"
#include "dump/same_rows.h"
#include "model/difference_view.h"
#include "model/row_norm.h"

struct saei_difference_encoder {
    sae_context *context;
    sae_row_norm row_norm;
    float *z; /* [d] a row of after, normalised */
    saei_difference_view view;
    saei_paired_rows before; /* after a read: the difference */
    sae_codes *codes;
    saei_profile_builder *builder;
};

sae_status saei_difference_encoder_new(saei_difference_encoder **out, const sae_model *model,
                                       const sae_dump *before, const sae_dump *after, const char *group,
                                       const saei_groups *groups, const double *row_weight, sae_error *err)
{
    *out = NULL;
    sae_context *context = model->context;
    saei_difference_encoder *encoder;
    sae_status status = saei_dump_same_rows(before, after, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&encoder, context, 1, sizeof *encoder, err);
    if (status != SAE_OK)
        return status;
    encoder->context = context;
    encoder->row_norm = model->row_norm;
    encoder->before = (saei_paired_rows){.context = context, .dump = before};
    status = saei_difference_view_init(&encoder->view, model, err);
    if (status == SAE_OK)
        status = saei_alloc(&encoder->z, context, model->d, sizeof *encoder->z, err);
    if (status == SAE_OK)
        status = sae_codes_new(&encoder->codes, context, err);
    if (status == SAE_OK)
        status =
            saei_profile_builder_new(&encoder->builder, context, groups, row_weight, model->n_latents, err);
    if (status != SAE_OK) {
        saei_difference_encoder_free(encoder);
        return status;
    }
    *out = encoder;
    return SAE_OK;
}

sae_status saei_difference_encoder_observe(void *user, const saei_block *block, sae_error *err)
{
    saei_difference_encoder *encoder = user;
    size_t rows = block->x.rows, d = block->x.cols;
    sae_status status = saei_paired_rows_read(&encoder->before, block, err);
    if (status != SAE_OK)
        return status;
    for (size_t r = 0; r < rows; r++) {
        float *before = encoder->before.rows + r * d;
        saei_row_normalise(encoder->z, block->x.data + r * block->x.stride, d, encoder->row_norm);
        saei_row_normalise(before, before, d, encoder->row_norm);
        for (size_t i = 0; i < d; i++)
            before[i] = encoder->z[i] - before[i];
    }
    saei_block encoded = {.first = block->first, .x = {encoder->before.rows, rows, d, d}};
    status = sae_model_encode(encoder->codes, &encoder->view.model, encoded.x, err);
    if (status != SAE_OK)
        return status;
    encoded.codes = sae_codes_get(encoder->codes);
    return saei_profile_builder_observe(encoder->builder, &encoded, err);
}

sae_status saei_difference_encoder_finish(saei_profile **out, saei_difference_encoder *encoder,
                                          sae_error *err)
{
    return saei_profile_builder_finish(out, encoder->builder, err);
}

void saei_difference_encoder_free(saei_difference_encoder *encoder)
{
    if (encoder == NULL)
        return;
    saei_profile_builder_free(encoder->builder);
    sae_codes_free(encoder->codes);
    saei_paired_rows_release(&encoder->before);
    saei_difference_view_release(&encoder->view);
    saei_free(encoder->context, encoder->z);
    saei_free(encoder->context, encoder);
}
