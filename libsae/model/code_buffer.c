#include "model/code_buffer.h"
#include "base/memory.h"

#include <string.h>

sae_status sae_codes_new(sae_codes **out, sae_context *context, sae_error *err)
{
    sae_status status = saei_alloc(out, context, 1, sizeof **out, err);
    if (status != SAE_OK)
        return status;
    sae_codes *codes = *out;
    codes->context = context;
    status = saei_alloc(&codes->row_ptr, context, 1, sizeof *codes->row_ptr, err);
    if (status != SAE_OK) {
        saei_free(context, codes);
        *out = NULL;
    }
    return status;
}

static void slot_rows_free(saei_slot_rows *rows, sae_context *context)
{
    saei_free(context, rows->xc);
    saei_free(context, rows->scratch);
    saei_free(context, rows->counts);
    saei_code_slots_free(&rows->codes, context);
    *rows = (saei_slot_rows){0};
}

sae_status saei_slot_rows_new(saei_slot_rows *out, sae_context *context, size_t rows, size_t slots, size_t d,
                              size_t scratch_floats, sae_error *err)
{
    saei_slot_rows made = {.rows = rows, .slots = slots, .scratch_floats = scratch_floats};
    sae_status status = saei_alloc(&made.xc, context, saei_mul(rows, d), sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&made.scratch, context, saei_mul(scratch_floats, sae_context_threads(context)),
                            sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&made.counts, context, sae_context_threads(context), sizeof *made.counts, err);
    if (status == SAE_OK)
        status = saei_code_slots_new(&made.codes, context, rows, slots, err);
    if (status != SAE_OK) {
        slot_rows_free(&made, context);
        return status;
    }
    *out = made;
    return SAE_OK;
}

void saei_codes_free_work(sae_codes *codes)
{
    for (size_t l = 0; l < SAEI_SLOT_LEVELS; l++)
        slot_rows_free(&codes->level[l], codes->context);
    codes->work_d = 0;
}

void sae_codes_free(sae_codes *codes)
{
    if (codes == NULL)
        return;
    saei_codes_free_work(codes);
    saei_free(codes->context, codes->row_ptr);
    saei_free(codes->context, codes->latent);
    saei_free(codes->context, codes->value);
    saei_free(codes->context, codes->row_shift);
    saei_free(codes->context, codes->row_scale);
    saei_free(codes->context, codes);
}

sae_codes_view sae_codes_get(const sae_codes *codes)
{
    return (sae_codes_view){codes->rows,
                            codes->row_ptr,
                            codes->latent,
                            codes->value,
                            codes->normalised ? codes->row_shift : NULL,
                            codes->normalised ? codes->row_scale : NULL};
}

static sae_status reserve_frames(sae_codes *codes, size_t rows, sae_error *err)
{
    /* Buffers of no row are buffers too, as below. */
    if (rows <= codes->frames_capacity && codes->row_scale != NULL)
        return SAE_OK;
    sae_status status = saei_grow(&codes->row_shift, codes->context, 0, rows, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_grow(&codes->row_scale, codes->context, 0, rows, sizeof(float), err);
    if (status == SAE_OK)
        codes->frames_capacity = rows;
    return status;
}

sae_status saei_codes_start(sae_codes *codes, size_t rows, bool normalised, sae_error *err)
{
    codes->rows = 0;
    codes->normalised = false;
    if (normalised) {
        sae_status status = reserve_frames(codes, rows, err);
        if (status != SAE_OK)
            return status;
        codes->normalised = true;
    }
    if (rows <= codes->rows_capacity)
        return SAE_OK;
    sae_status status =
        saei_grow(&codes->row_ptr, codes->context, 1, saei_add(rows, 1), sizeof *codes->row_ptr, err);
    if (status == SAE_OK)
        codes->rows_capacity = rows;
    return status;
}

sae_status saei_codes_reserve(sae_codes *codes, size_t more, sae_error *err)
{
    size_t held = (size_t)codes->row_ptr[codes->rows], wanted = saei_add(held, more);
    /* Buffers of no entry are buffers too: nobody has to look out for NULL. */
    if (wanted <= codes->nnz_capacity && codes->value != NULL)
        return SAE_OK;
    /* By half at least, so that an entry is moved a bounded number of times. */
    size_t capacity = saei_add(codes->nnz_capacity, codes->nnz_capacity / 2);
    capacity = capacity < wanted ? wanted : capacity;
    sae_status status = saei_grow(&codes->latent, codes->context, held, capacity, sizeof *codes->latent, err);
    if (status == SAE_OK)
        status = saei_grow(&codes->value, codes->context, held, capacity, sizeof *codes->value, err);
    if (status == SAE_OK)
        codes->nnz_capacity = capacity;
    return status;
}

sae_status saei_codes_append(sae_codes *codes, const uint32_t *latent, const float *value, size_t count,
                             sae_error *err)
{
    sae_status status = saei_codes_reserve(codes, count, err);
    if (status != SAE_OK)
        return status;
    uint64_t start = codes->row_ptr[codes->rows];
    memcpy(codes->latent + start, latent, count * sizeof *latent);
    memcpy(codes->value + start, value, count * sizeof *value);
    codes->row_ptr[++codes->rows] = start + count;
    return SAE_OK;
}
