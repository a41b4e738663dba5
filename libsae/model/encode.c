/* Encoding in chunks of rows. A TopK row has k slots for its codes; with the other activations a row has any
   number of active latents, so it gets a few slots, and those rows that fill them are encoded again with a
   slot for every latent, some at a time. */
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/code_buffer.h"
#include "model/model.h"
#include "num/rows.h"
#include "num/screen.h"

#include <string.h>

enum {
    /* Rows that are centred and encoded at once: enough tiles to keep every thread busy, bounded memory. */
    CHUNK_ROWS = 16 * SAEI_TILE_ROWS,
    /* Slots of a row whose number of active latents is not bounded: more than most rows of most models need.
     */
    FEW_SLOTS = 256,
    /* Slots of all rows that are encoded with one for every latent: 32 MiB. */
    WIDE_SLOTS = 1 << 22,
    /* Such rows are few; smaller tiles share them among the threads. */
    WIDE_TILE_ROWS = 64
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t slots_of(const sae_model *model)
{
    return model->activation == SAE_TOPK ? model->k : min_size(FEW_SLOTS, model->n_latents);
}

static size_t scratch_of(const sae_model *model)
{
    return saei_encoder_scratch(model->d, model->n_latents, slots_of(model), true);
}

static sae_status make_work(sae_codes *codes, const sae_model *model, sae_error *err)
{
    size_t slots = slots_of(model);
    if (codes->work_d == model->d && codes->work_latents == model->n_latents && codes->work_slots == slots)
        return SAE_OK;
    saei_codes_free_work(codes);
    sae_context *context = codes->context;
    size_t workers = min_size(sae_context_threads(context), CHUNK_ROWS / SAEI_TILE_ROWS);
    sae_status status =
        saei_alloc(&codes->scratch, context, saei_mul(scratch_of(model), workers), sizeof(float), err);
    if (status == SAE_OK)
        status = saei_slot_rows_new(&codes->chunk, context, CHUNK_ROWS, slots, model->d, err);
    if (status != SAE_OK) {
        saei_codes_free_work(codes);
        return status;
    }
    codes->work_d = model->d;
    codes->work_latents = model->n_latents;
    codes->work_slots = slots;
    return SAE_OK;
}

typedef struct encode_job {
    const sae_codes *codes;
    const sae_model *model;
    const saei_slot_rows *to;
    size_t tile_rows, n;
    sae_view raw; /* rows to centre first; data NULL: to->xc is centred */
} encode_job;

/* Whether the row may have more active latents than it had slots. */
static bool is_cut(const saei_slot_rows *rows, size_t r, const sae_model *model)
{
    return model->activation != SAE_TOPK && rows->slots < model->n_latents &&
           rows->codes.count[r] == rows->slots;
}

/* From xc · W_enc of the latents whose gate is open to their magnitudes; those of 0 go. */
static void gated_magnitudes(const saei_slot_rows *rows, size_t r, const sae_model *model)
{
    uint32_t *latent = rows->codes.latent + r * rows->slots;
    float *value = rows->codes.value + r * rows->slots;
    uint32_t kept = 0;
    for (size_t i = 0; i < rows->codes.count[r]; i++) {
        uint32_t j = latent[i];
        float magnitude = model->gain[j] * value[i] + model->b_mag[j];
        latent[kept] = j;
        value[kept] = magnitude;
        kept += magnitude > 0.0f;
    }
    rows->codes.count[r] = kept;
}

static void encode_tile(void *arg, size_t tile, unsigned worker)
{
    const encode_job *job = arg;
    const sae_model *model = job->model;
    size_t d = model->d, first = tile * job->tile_rows, n = min_size(job->tile_rows, job->n - first);
    saei_encoder encoder = saei_model_encoder(model, job->to->slots);
    for (size_t r = first; job->raw.data != NULL && r < first + n; r++)
        saei_row_scale_shift(job->to->xc + r * d, 1.0f, job->raw.data + r * job->raw.stride, model->b_dec, d);
    if (job->raw.data != NULL)
        saei_encode_tile(job->to->codes, &encoder, job->to->xc, first, n,
                         job->codes->scratch + worker * scratch_of(model), NULL);
    /* With a slot for every latent there is nothing to screen; the codes are the same. */
    for (size_t r = first; job->raw.data == NULL && r < first + n; r++)
        saei_encode_row_exact(job->to->codes, &encoder, job->to->xc, r);
    if (model->activation != SAE_GATED)
        return;
    for (size_t r = first; r < first + n; r++)
        if (!is_cut(job->to, r, model))
            gated_magnitudes(job->to, r, model);
}

static void encode_rows(encode_job job)
{
    size_t tiles = (job.n + job.tile_rows - 1) / job.tile_rows;
    saei_parallel_for(job.codes->context, tiles, encode_tile, &job);
}

/* Encodes with a slot for every latent those rows first .. n - 1 of the chunk that are cut, as many as there
   is room for: *held. */
static sae_status encode_wide(size_t *held, sae_codes *codes, const sae_model *model, size_t first, size_t n,
                              sae_error *err)
{
    size_t F = model->n_latents, d = model->d, rows = 0;
    if (codes->wide.rows == 0) {
        size_t room = min_size(F < WIDE_SLOTS ? WIDE_SLOTS / F : 1, CHUNK_ROWS);
        sae_status status = saei_slot_rows_new(&codes->wide, codes->context, room, F, d, err);
        if (status != SAE_OK)
            return status;
    }
    for (size_t r = first; r < n && rows < codes->wide.rows; r++)
        if (is_cut(&codes->chunk, r, model))
            memcpy(codes->wide.xc + rows++ * d, codes->chunk.xc + r * d, d * sizeof(float));
    encode_rows((encode_job){
        .codes = codes, .model = model, .to = &codes->wide, .tile_rows = WIDE_TILE_ROWS, .n = rows});
    *held = rows;
    return SAE_OK;
}

static sae_status append_row(sae_codes *codes, const saei_slot_rows *rows, size_t r, sae_error *err)
{
    return saei_codes_append(codes, rows->codes.latent + r * rows->slots, rows->codes.value + r * rows->slots,
                             rows->codes.count[r], err);
}

/* Appends the codes of the chunk in row order. */
static sae_status append_chunk(sae_codes *codes, const sae_model *model, size_t n, sae_error *err)
{
    size_t entries = 0, held = 0, next = 0; /* `next` of the `held` wide rows */
    for (size_t r = 0; r < n; r++)
        entries += codes->chunk.codes.count[r];
    sae_status status = saei_codes_reserve(codes, entries, err);
    for (size_t r = 0; r < n && status == SAE_OK; r++) {
        if (!is_cut(&codes->chunk, r, model)) {
            status = append_row(codes, &codes->chunk, r, err);
            continue;
        }
        if (next == held) {
            status = encode_wide(&held, codes, model, r, n, err);
            next = 0;
        }
        if (status == SAE_OK)
            status = append_row(codes, &codes->wide, next++, err);
    }
    return status;
}

static sae_status encode_chunks(sae_codes *codes, const sae_model *model, sae_view rows, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t first = 0; first < rows.rows && status == SAE_OK; first += CHUNK_ROWS) {
        size_t n = min_size(rows.rows - first, CHUNK_ROWS);
        encode_rows((encode_job){.codes = codes,
                                 .model = model,
                                 .to = &codes->chunk,
                                 .tile_rows = SAEI_TILE_ROWS,
                                 .n = n,
                                 .raw = {rows.data + first * rows.stride, n, rows.cols, rows.stride}});
        status = append_chunk(codes, model, n, err);
    }
    return status;
}

sae_status sae_model_encode(sae_codes *codes, const sae_model *model, sae_view rows, sae_error *err)
{
    if (rows.cols != model->d)
        return saei_fail(err, SAE_E_MISMATCH,
                         "rows are %zu wide, the model takes %zu: they are from different layers or models",
                         rows.cols, model->d);
    sae_status status = make_work(codes, model, err);
    if (status == SAE_OK)
        status = saei_codes_start(codes, rows.rows, err);
    if (status == SAE_OK)
        status = encode_chunks(codes, model, rows, err);
    if (status != SAE_OK)
        codes->rows = 0;
    return status;
}
