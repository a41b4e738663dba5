#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/model.h"
#include "num/blas.h"
#include "num/encoder.h"
#include "num/rows.h"

#include <string.h>

/* Rows that are centred and encoded at once: enough tiles to keep every thread busy, bounded memory. */
enum { CHUNK_ROWS = 16 * SAEI_TILE_ROWS };

struct sae_codes {
    sae_context *context;
    size_t rows, rows_capacity, nnz_capacity;
    uint64_t *row_ptr;
    uint32_t *latent;
    float *value;
    /* Work of the encoder for one chunk, sized for the model of the last call. */
    size_t work_d, work_latents, work_k;
    float *xc, *scratch;
    saei_code_slots slots;
};

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

static void free_work(sae_codes *codes)
{
    saei_free(codes->context, codes->xc);
    saei_free(codes->context, codes->scratch);
    saei_code_slots_free(&codes->slots, codes->context);
    codes->xc = codes->scratch = NULL;
    codes->work_d = 0;
}

void sae_codes_free(sae_codes *codes)
{
    if (codes == NULL)
        return;
    free_work(codes);
    saei_free(codes->context, codes->row_ptr);
    saei_free(codes->context, codes->latent);
    saei_free(codes->context, codes->value);
    saei_free(codes->context, codes);
}

sae_codes_view sae_codes_get(const sae_codes *codes)
{
    return (sae_codes_view){codes->rows, codes->row_ptr, codes->latent, codes->value};
}

static sae_status make_work(sae_codes *codes, const sae_model *model, sae_error *err)
{
    if (codes->work_d == model->d && codes->work_latents == model->n_latents && codes->work_k == model->k)
        return SAE_OK;
    free_work(codes);
    sae_context *context = codes->context;
    size_t workers = sae_context_threads(context), tiles = CHUNK_ROWS / SAEI_TILE_ROWS;
    size_t scratch = saei_mul(saei_encoder_scratch(model->d, model->n_latents, model->k, false),
                              workers < tiles ? workers : tiles);
    sae_status status = saei_alloc(&codes->xc, context, saei_mul(CHUNK_ROWS, model->d), sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&codes->scratch, context, scratch, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_code_slots_new(&codes->slots, context, CHUNK_ROWS, model->k, err);
    if (status != SAE_OK) {
        free_work(codes);
        return status;
    }
    codes->work_d = model->d;
    codes->work_latents = model->n_latents;
    codes->work_k = model->k;
    return SAE_OK;
}

static sae_status make_room(sae_codes *codes, size_t rows, size_t k, sae_error *err)
{
    sae_status status = SAE_OK;
    if (rows > codes->rows_capacity) {
        status =
            saei_grow(&codes->row_ptr, codes->context, 1, saei_add(rows, 1), sizeof *codes->row_ptr, err);
        if (status != SAE_OK)
            return status;
        codes->rows_capacity = rows;
    }
    size_t nnz = saei_mul(rows, k);
    if (nnz <= codes->nnz_capacity)
        return SAE_OK;
    /* The old codes are dropped, so the buffers are replaced rather than grown. */
    saei_free(codes->context, codes->latent);
    saei_free(codes->context, codes->value);
    codes->latent = NULL;
    codes->value = NULL;
    codes->nnz_capacity = 0;
    status = saei_alloc(&codes->latent, codes->context, nnz, sizeof *codes->latent, err);
    if (status == SAE_OK)
        status = saei_alloc(&codes->value, codes->context, nnz, sizeof *codes->value, err);
    if (status == SAE_OK)
        codes->nnz_capacity = nnz;
    return status;
}

/* Appends the slots of a chunk in row order. */
static void append_slots(sae_codes *codes, size_t first_row, size_t rows, size_t k)
{
    for (size_t r = 0; r < rows; r++) {
        size_t count = codes->slots.count[r];
        uint64_t start = codes->row_ptr[first_row + r];
        memcpy(codes->latent + start, codes->slots.latent + r * k, count * sizeof(uint32_t));
        memcpy(codes->value + start, codes->slots.value + r * k, count * sizeof(float));
        codes->row_ptr[first_row + r + 1] = start + count;
    }
}

typedef struct encode_job {
    sae_codes *codes;
    const sae_model *model;
    sae_view rows;
} encode_job;

static void encode_task(void *arg, size_t tile, unsigned worker)
{
    const encode_job *job = arg;
    const sae_codes *codes = job->codes;
    const sae_model *model = job->model;
    saei_encoder encoder = {model->d, model->n_latents, model->k, model->W_enc,
                            false,    model->b_enc,     NULL,     NULL};
    size_t first = tile * SAEI_TILE_ROWS, left = job->rows.rows - first;
    size_t n = left < SAEI_TILE_ROWS ? left : SAEI_TILE_ROWS;
    for (size_t r = first; r < first + n; r++)
        saei_row_scale_shift(codes->xc + r * model->d, 1.0f, job->rows.data + r * job->rows.stride,
                             model->b_dec, model->d);
    saei_encode_tile(
        codes->slots, NULL, &encoder, codes->xc, first, n,
        codes->scratch + worker * saei_encoder_scratch(model->d, model->n_latents, model->k, false), NULL);
}

sae_status sae_model_encode(sae_codes *codes, const sae_model *model, sae_view rows, sae_error *err)
{
    if (rows.cols != model->d)
        return saei_fail(err, SAE_E_MISMATCH,
                         "rows are %zu wide, the model takes %zu: they are from different layers or models",
                         rows.cols, model->d);
    codes->rows = 0;
    sae_status status = make_work(codes, model, err);
    if (status == SAE_OK)
        status = make_room(codes, rows.rows, model->k, err);
    if (status != SAE_OK)
        return status;
    saei_blas_begin();
    for (size_t first = 0; first < rows.rows; first += CHUNK_ROWS) {
        size_t n = rows.rows - first < CHUNK_ROWS ? rows.rows - first : CHUNK_ROWS;
        encode_job job = {codes, model, {rows.data + first * rows.stride, n, rows.cols, rows.stride}};
        saei_parallel_for(codes->context, (n + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS, encode_task, &job);
        append_slots(codes, first, n, model->k);
    }
    codes->rows = rows.rows;
    return SAE_OK;
}

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
    for (size_t r = task * SAEI_TILE_ROWS; r < end; r++) {
        float *out = job->out + r * model->d;
        uint64_t start = job->codes.row_ptr[r];
        memcpy(out, model->b_dec, model->d * sizeof(float));
        saei_decode_row(out, model->W_dec, model->d, job->codes.latent + start, job->codes.value + start,
                        (size_t)(job->codes.row_ptr[r + 1] - start));
    }
}

sae_status sae_model_decode(float *out, const sae_model *model, sae_codes_view codes, sae_error *err)
{
    for (uint64_t i = 0; codes.rows > 0 && i < codes.row_ptr[codes.rows]; i++)
        if (codes.latent[i] >= model->n_latents)
            return saei_fail(err, SAE_E_MISMATCH, "codes name latent %u, the model has %zu",
                             (unsigned)codes.latent[i], model->n_latents);
    decode_job job = {out, model, codes};
    saei_parallel_for(model->context, (codes.rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS, decode_tile, &job);
    return SAE_OK;
}
