/* Encoding in chunks of rows. A TopK row has k slots for its codes. With the other activations a row has any
   number of active latents: it gets a few slots, and a row that fills them is encoded again with more,
   together with others of its kind. */
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/code_buffer.h"
#include "model/model.h"
#include "model/row_norm.h"

#include <string.h>

enum {
    /* Rows that are centred and encoded at once: enough tiles to keep every thread busy, bounded memory. */
    CHUNK_ROWS = 16 * SAEI_TILE_ROWS,
    /* Slots of a row whose number of active latents is not bounded: more than most rows of most models need.
     */
    FEW_SLOTS = 256,
    MORE_SLOTS = 8,
    /* Slots of all rows of a level above the first: 32 MiB. */
    LEVEL_SLOTS = 1 << 22,
    /* Rows of such a level may be few; smaller tiles share them among the threads. */
    LEVEL_TILE_ROWS = 64
};

static sae_status make_level(saei_slot_rows *level, const sae_codes *codes, const sae_model *model,
                             size_t rows, size_t slots, sae_error *err)
{
    return saei_slot_rows_new(level, codes->context, rows, slots, model->d,
                              saei_encoder_scratch(model->d, model->n_latents, slots, true), err);
}

static sae_status make_work(sae_codes *codes, const sae_model *model, sae_error *err)
{
    size_t slots = model->activation == SAE_TOPK ? model->k : saei_min_size(FEW_SLOTS, model->n_latents);
    if (codes->work_d == model->d && codes->work_latents == model->n_latents &&
        codes->level[0].slots == slots)
        return SAE_OK;
    saei_codes_free_work(codes);
    sae_status status = make_level(&codes->level[0], codes, model, CHUNK_ROWS, slots, err);
    if (status != SAE_OK)
        return status;
    codes->work_d = model->d;
    codes->work_latents = model->n_latents;
    return SAE_OK;
}

typedef struct encode_job {
    const sae_model *model;
    const saei_slot_rows *level;
    size_t tile_rows;
    sae_view raw;                 /* rows to centre first; data NULL: xc of the level is centred */
    float *row_shift, *row_scale; /* of the raw rows; NULL: nobody asks */
} encode_job;

/* Whether the row may have more active latents than it had slots. */
static bool is_cut(const saei_slot_rows *level, size_t r, const sae_model *model)
{
    return model->activation != SAE_TOPK && level->slots < model->n_latents &&
           level->codes.count[r] == level->slots;
}

/* From xc · W_enc of the latents whose gate is open to their magnitudes; those of 0 go. */
static void gated_magnitudes(const saei_slot_rows *level, size_t r, const sae_model *model)
{
    uint32_t *latent = level->codes.latent + r * level->slots;
    float *value = level->codes.value + r * level->slots;
    uint32_t kept = 0;
    for (size_t i = 0; i < level->codes.count[r]; i++) {
        uint32_t j = latent[i];
        float magnitude = model->gain[j] * value[i] + model->b_mag[j];
        latent[kept] = j;
        value[kept] = magnitude;
        kept += magnitude > 0.0f;
    }
    level->codes.count[r] = kept;
}

static void centre_row(const encode_job *job, size_t r)
{
    saei_row_frame frame = saei_model_centre(job->level->xc + r * job->model->d, job->model,
                                             job->raw.data + r * job->raw.stride);
    if (job->row_scale == NULL)
        return;
    job->row_shift[r] = frame.shift;
    job->row_scale[r] = frame.scale;
}

static void centre_task(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const encode_job *job = arg;
    size_t first = tile * SAEI_TILE_ROWS, end = saei_min_size(first + SAEI_TILE_ROWS, job->level->held);
    for (size_t r = first; r < end; r++)
        centre_row(job, r);
}

static void magnitudes_task(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const encode_job *job = arg;
    size_t first = tile * SAEI_TILE_ROWS, end = saei_min_size(first + SAEI_TILE_ROWS, job->level->held);
    for (size_t r = first; r < end; r++)
        if (!is_cut(job->level, r, job->model))
            gated_magnitudes(job->level, r, job->model);
}

static void encode_level(sae_context *context, saei_slot_rows *level, encode_job job)
{
    const sae_model *model = job.model;
    saei_encoder encoder = saei_model_encoder(model, level->slots);
    saei_encode_workers workers = {.context = context,
                                   .tile_rows = job.tile_rows,
                                   .scratch_floats = level->scratch_floats,
                                   .scratch = level->scratch,
                                   .counts = level->counts};
    size_t tiles = (level->held + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS;
    saei_screen_counts counts;
    job.level = level;
    encoder.start = level->start;
    if (job.raw.data != NULL)
        saei_parallel_for(context, tiles, centre_task, &job);
    saei_encode_rows(level->codes, &encoder, level->xc, level->held, &workers, &counts);
    level->start = saei_screen_start(counts.ends);
    if (model->activation == SAE_GATED)
        saei_parallel_for(context, tiles, magnitudes_task, &job);
}

/* Encodes with more slots the rows of level l that are cut, from row `first` on, as many as there is room
 * for. */
static sae_status encode_cut_rows(sae_codes *codes, const sae_model *model, size_t l, size_t first,
                                  sae_error *err)
{
    const saei_slot_rows *from = &codes->level[l];
    saei_slot_rows *to = &codes->level[l + 1];
    if (to->rows == 0) {
        size_t slots = saei_min_size(saei_mul(from->slots, MORE_SLOTS), model->n_latents);
        size_t rows = slots < LEVEL_SLOTS ? saei_min_size(LEVEL_SLOTS / slots, from->rows) : 1;
        sae_status status = make_level(to, codes, model, rows, slots, err);
        if (status != SAE_OK)
            return status;
    }
    size_t d = model->d;
    to->held = to->next = 0;
    for (size_t r = first; r < from->held && to->held < to->rows; r++)
        if (is_cut(from, r, model))
            memcpy(to->xc + to->held++ * d, from->xc + r * d, d * sizeof(float));
    encode_level(codes->context, to, (encode_job){.model = model, .tile_rows = LEVEL_TILE_ROWS});
    return SAE_OK;
}

/* Row r of level 0. A row that is cut is the next one of the level above: rows keep their order. */
static sae_status append_row(sae_codes *codes, const sae_model *model, size_t r, sae_error *err)
{
    size_t l = 0;
    for (; is_cut(&codes->level[l], r, model); l++) {
        saei_slot_rows *above = &codes->level[l + 1];
        if (above->next == above->held) {
            sae_status status = encode_cut_rows(codes, model, l, r, err);
            if (status != SAE_OK)
                return status;
        }
        r = above->next++;
    }
    const saei_slot_rows *level = &codes->level[l];
    return saei_codes_append(codes, level->codes.latent + r * level->slots,
                             level->codes.value + r * level->slots, level->codes.count[r], err);
}

static sae_status append_chunk(sae_codes *codes, const sae_model *model, sae_error *err)
{
    const saei_slot_rows *chunk = &codes->level[0];
    size_t entries = 0;
    for (size_t r = 0; r < chunk->held; r++)
        entries += chunk->codes.count[r];
    /* An error may have left rows behind. */
    for (size_t l = 1; l < SAEI_SLOT_LEVELS; l++)
        codes->level[l].held = codes->level[l].next = 0;
    sae_status status = saei_codes_reserve(codes, entries, err);
    for (size_t r = 0; r < chunk->held && status == SAE_OK; r++)
        status = append_row(codes, model, r, err);
    return status;
}

static sae_status encode_chunks(sae_codes *codes, const sae_model *model, sae_view rows, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t first = 0; first < rows.rows && status == SAE_OK; first += CHUNK_ROWS) {
        size_t n = saei_min_size(rows.rows - first, CHUNK_ROWS);
        codes->level[0].held = n;
        encode_level(codes->context, &codes->level[0],
                     (encode_job){.model = model,
                                  .tile_rows = SAEI_TILE_ROWS,
                                  .raw = {rows.data + first * rows.stride, n, rows.cols, rows.stride},
                                  .row_shift = codes->normalised ? codes->row_shift + first : NULL,
                                  .row_scale = codes->normalised ? codes->row_scale + first : NULL});
        status = append_chunk(codes, model, err);
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
        status = saei_codes_start(codes, rows.rows, model->row_norm != SAE_NO_ROW_NORM, err);
    if (status == SAE_OK)
        status = encode_chunks(codes, model, rows, err);
    if (status != SAE_OK)
        codes->rows = 0;
    return status;
}
