/* The forward pass: codes, their selection, residuals, and the gradient of the reconstruction by each code.
 */
#include "base/parallel.h"
#include "num/blas.h"
#include "num/rows.h"
#include "train/batch_selection.h"
#include "train/objective_inside.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* BatchTopK's threshold moves little from batch to batch: what is far below the last one need not be looked
 * at. */
static const float floor_share = 0.9f;

static void centre_tile(const saei_objective_job *job, size_t first, size_t end)
{
    const saei_objective *o = job->o;
    size_t d = o->settings.d;
    for (size_t r = first; r < end; r++) {
        float *x = o->xc + r * d;
        if (o->settings.raw_input)
            for (size_t i = 0; i < d; i++)
                x[i] *= job->scale;
        else
            saei_row_scale_shift(x, job->scale, x, job->p->b_dec, d);
    }
}

static void centre_task(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const saei_objective_job *job = arg;
    size_t first = tile * SAEI_TILE_ROWS;
    centre_tile(job, first, saei_min_size(first + SAEI_TILE_ROWS, job->rows));
}

static void encode(const saei_objective_job *job)
{
    saei_objective *o = job->o;
    const saei_objective_settings *s = &o->settings;
    saei_encoder encoder = {.d = s->d,
                            .n_latents = s->n_latents,
                            .k = o->slots,
                            .W_enc = o->selection.W != NULL ? o->selection.W : job->p->W_enc,
                            .b_enc = o->selection.W != NULL ? o->selection.b : job->p->b_enc,
                            .floor = o->has_floors ? o->floor : NULL,
                            .panels = o->panels,
                            .start = o->screening.start};
    /* Residuals come after the codes: until then their room is free. */
    saei_encode_workers workers = {
        .context = o->context,
        .tile_rows = SAEI_TILE_ROWS,
        .scratch_floats = saei_objective_tile_floats(s),
        .scratch = o->tile_floats,
        .counts = o->counts,
        .room = {o->e, o->settings.batch_rows * s->n_groups * s->d * sizeof *o->e}};
    saei_screen_counts batch;
    saei_encode_rows(o->codes, &encoder, o->xc, job->rows, &workers, &batch);
    saei_screen_counts_add(&o->screened, &batch, 1);
    /* Few held-out rows say little of the next batch. */
    if (o->panels != NULL && job->rows == o->settings.batch_rows)
        saei_screening_learn(&o->screening, &batch, o->settings.d, o->settings.n_latents,
                             saei_panels_in_bytes(o->panels), o->batch_floor > 0.0f);
}

static uint64_t count_codes(const saei_objective *o, size_t rows)
{
    uint64_t n = 0;
    for (size_t r = 0; r < rows; r++)
        n += o->codes.count[r];
    return n;
}

static void set_floor(saei_objective *o, float floor)
{
    o->has_floors = floor > 0.0f;
    for (size_t j = 0; j < o->settings.n_latents && o->has_floors; j++)
        o->floor[j] = floor;
}

/* The k · B largest. The guess of the threshold saves work and never changes the result, the least value kept
   included: unless more codes than are kept lie above it, the batch is encoded again without. */
static void encode_batch_topk(const saei_objective_job *job)
{
    saei_objective *o = job->o;
    size_t keep = o->k * job->rows;
    if (o->fixed_threshold >= 0.0f) {
        set_floor(o, o->fixed_threshold);
        encode(job);
        return;
    }
    set_floor(o, floor_share * o->batch_floor);
    encode(job);
    if (o->has_floors && count_codes(o, job->rows) <= keep) {
        o->reselections++;
        set_floor(o, 0.0f);
        encode(job);
    }
    o->batch_floor = saei_batch_selection(&o->codes, job->rows, o->slots, keep);
}

/* The slots hold the largest k of the whole schedule; of these the k of this step. */
static void encode_row_topk(const saei_objective_job *job)
{
    const saei_objective *o = job->o;
    encode(job);
    for (size_t r = 0; r < job->rows && o->k < o->slots; r++) {
        saei_code_slots row = {o->codes.latent + r * o->slots, o->codes.value + r * o->slots,
                               o->codes.count + r};
        saei_batch_selection(&row, 1, o->slots, o->k);
    }
}

/* Whether a row filled its slots, and may have lost codes. */
static bool overflows(const saei_objective *o, size_t rows)
{
    for (size_t r = 0; r < rows && o->slots < o->settings.n_latents; r++)
        if (o->codes.count[r] == o->slots)
            return true;
    return false;
}

static void encode_above_floor(const saei_objective_job *job)
{
    saei_objective *o = job->o;
    o->has_floors = o->settings.architecture->floors != NULL;
    if (o->has_floors)
        o->settings.architecture->floors(o->floor, job->p, job->penalty);
    for (size_t j = 0; j < o->settings.n_latents && o->n_dead > 0; j++)
        o->floor[j] = o->dead[j] ? -INFINITY : o->floor[j];
    o->dense = o->l0 + (double)o->n_dead > 0.7 * (double)o->slots && o->slots < o->settings.n_latents;
    if (!o->dense)
        encode(job);
    o->dense = o->dense || overflows(o, job->rows);
}

static float row_norm(const float *x, size_t d)
{
    return (float)sqrt(saei_row_norm2(x, d));
}

/* Architectures with a k have no penalty, whatever its kind. */
static bool uses_decoder_norm(const saei_objective *o, const saei_penalty *penalty)
{
    return o->settings.architecture->selection == SAEI_SELECT_ABOVE_FLOOR &&
           (penalty->pre_act > 0.0f || penalty->kind == SAE_SPARSITY_L1_DECODER_NORM ||
            penalty->kind == SAE_SPARSITY_TANH);
}

saei_latent saei_objective_latent(const saei_objective_job *job, size_t j)
{
    const saei_objective *o = job->o;
    const saei_parameters *p = job->p;
    saei_latent latent = {.b_enc = p->b_enc[j], .dead = o->dead != NULL && o->dead[j]};
    for (size_t i = 0; i < p->n_extra; i++)
        latent.extra[i] = p->extra[i][j];
    if (uses_decoder_norm(o, job->penalty))
        latent.decoder_norm = row_norm(p->W_dec + j * o->settings.d, o->settings.d);
    return latent;
}

void saei_objective_start_row(const saei_objective_job *job, size_t r)
{
    const saei_objective *o = job->o;
    size_t d = o->settings.d;
    float *e = saei_residual(o, r, 0);
    memcpy(e, o->xc + r * d, d * sizeof *e);
    if (o->settings.raw_input)
        saei_row_axpy(e, -1.0f, job->p->b_dec, d);
    if (o->e_gate != NULL)
        memcpy(o->e_gate + r * d, e, d * sizeof *e);
}

void saei_objective_finish_row(const saei_objective_job *job, size_t r, double *sums)
{
    const saei_objective *o = job->o;
    size_t d = o->settings.d, last = o->settings.n_groups - 1;
    float weight = (float)o->settings.group_weight;
    o->norm_x[r] = row_norm(o->xc + r * d, d);
    for (size_t g = last + 1; g-- > 0;) {
        float *e = saei_residual(o, r, g);
        double norm2 = saei_row_norm2(e, d);
        bool changes = weight != 1.0f || g < last;
        sums[SAEI_SUM_LOSS] += o->settings.group_weight * norm2;
        if (g == last)
            sums[SAEI_SUM_RECONSTRUCTION] += norm2;
        if (weight != 1.0f)
            for (size_t i = 0; i < d; i++)
                e[i] *= weight;
        if (g < last)
            saei_row_axpy(e, 1.0f, saei_residual(o, r, g + 1), d);
        o->norm_e[r * (last + 1) + g] = (float)sqrt(changes ? saei_row_norm2(e, d) : norm2);
    }
    const float *first = saei_residual(o, r, 0);
    double *vector = sums + SAEI_SUM_VECTORS;
    for (size_t i = 0; i < d; i++)
        vector[i] += (double)first[i];
    if (o->e_gate == NULL)
        return;
    const float *gate = o->e_gate + r * d;
    sums[SAEI_SUM_GATE] += saei_row_norm2(gate, d);
    o->norm_gate[r] = row_norm(gate, d);
    for (size_t i = 0; i < d; i++)
        vector[d + i] += (double)gate[i];
}

/* The decoder's rows of codes `from` to end − 1 of row r, and of those that are decoded after them. */
static saei_named_rows decoder_rows(const saei_objective_job *job, size_t r, size_t from, size_t end)
{
    const saei_code_slots *codes = &job->o->codes;
    size_t slots = job->o->slots, d = job->o->settings.d, left = codes->count[r] - end;
    const uint32_t *latent = codes->latent + r * slots;
    saei_named_rows rows = {.base = job->p->W_dec,
                            .stride = d,
                            .row = latent + from,
                            .n = end - from,
                            .next = latent + end,
                            .n_next = left};
    if (left == 0 && r + 1 < job->rows) {
        rows.next = latent + slots;
        rows.n_next = codes->count[r + 1];
    }
    return rows;
}

/* Subtracts the codes of a row from its residuals, group after group; f lies in the room of ∂R/∂f. */
static void decode_row(const saei_objective_job *job, size_t r)
{
    const saei_objective *o = job->o;
    const saei_architecture *a = o->settings.architecture;
    const saei_parameters *p = job->p;
    size_t d = o->settings.d, at = r * o->slots, n = o->codes.count[r], done = 0;
    const uint32_t *latent = o->codes.latent + at;
    float *minus_f = o->g + at;
    for (size_t i = 0; i < n; i++) {
        float pre = saei_pre_of_value(o, o->codes.value[at + i], latent[i]);
        minus_f[i] = a->activate != NULL ? -a->activate(pre, p, latent[i]) : -pre;
        if (o->e_gate != NULL)
            o->g_gate[at + i] = -pre;
    }
    for (size_t g = 0; g < o->settings.n_groups; g++) {
        float *e = saei_residual(o, r, g);
        size_t from = done;
        if (g > 0)
            memcpy(e, saei_residual(o, r, g - 1), d * sizeof *e);
        while (done < n && latent[done] < o->settings.group_end[g])
            done++;
        saei_named_rows decoder = decoder_rows(job, r, from, done);
        saei_rows_combine(e, &decoder, minus_f + from, d);
    }
    if (o->e_gate != NULL) {
        saei_named_rows decoder = decoder_rows(job, r, 0, n);
        saei_rows_combine(o->e_gate + r * d, &decoder, o->g_gate + at, d);
    }
}

static void scaled_dots(float *g, float scale, const float *e, const saei_objective_job *job,
                        const uint32_t *latent, size_t n)
{
    size_t d = job->o->settings.d;
    const saei_named_rows decoder = {.base = job->p->W_dec, .stride = d, .row = latent, .n = n};
    saei_rows_dot(g, e, &decoder, d);
    for (size_t i = 0; i < n; i++)
        g[i] *= scale;
}

/* ∂R/∂f while the decoder's rows are still in cache. */
static void gradient_of_row(const saei_objective_job *job, size_t r)
{
    const saei_objective *o = job->o;
    size_t at = r * o->slots, n = o->codes.count[r], done = 0;
    const uint32_t *latent = o->codes.latent + at;
    for (size_t g = 0; g < o->settings.n_groups; g++) {
        size_t from = done;
        while (done < n && latent[done] < o->settings.group_end[g])
            done++;
        scaled_dots(o->g + at + from, job->e_scale, saei_residual(o, r, g), job, latent + from, done - from);
    }
    if (o->e_gate != NULL)
        scaled_dots(o->g_gate + at, job->e_scale, o->e_gate + r * o->settings.d, job, latent, n);
}

static void residual_task(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    size_t first = tile * SAEI_TILE_ROWS, end = saei_min_size(first + SAEI_TILE_ROWS, job->rows);
    double *sums = o->tile_sums + tile * saei_objective_tile_sums(o);
    memset(sums, 0, saei_objective_tile_sums(o) * sizeof *sums);
    for (size_t r = first; r < end; r++) {
        saei_objective_start_row(job, r);
        decode_row(job, r);
        if (saei_row_powers_wanted(&o->powers, job->penalty)) {
            saei_row_powers_start(&o->powers, r);
            saei_row_powers_add(&o->powers, r, o->codes.value + r * o->slots, o->codes.count[r],
                                job->penalty);
            saei_row_powers_finish(&o->powers, r, job->penalty);
        }
        for (size_t i = r * o->slots; i < r * o->slots + o->codes.count[r]; i++)
            sums[SAEI_SUM_ACTIVE] += o->g[i] != 0.0f;
        saei_objective_finish_row(job, r, sums);
        gradient_of_row(job, r);
    }
}

uint64_t saei_objective_active(const saei_objective *o, size_t rows)
{
    double active = 0.0;
    for (size_t tile = 0; tile < saei_objective_tiles(rows); tile++)
        active += o->tile_sums[tile * saei_objective_tile_sums(o) + SAEI_SUM_ACTIVE];
    return (uint64_t)active;
}

/* A kept pre-activation may be one that only the threshold learns from, or that only opens the gate. */
static bool is_active(const saei_objective *o, const saei_parameters *p, size_t at)
{
    const saei_architecture *a = o->settings.architecture;
    return a->activate == NULL || a->activate(o->codes.value[at], p, o->codes.latent[at]) != 0.0f;
}

void saei_objective_mark_fired(const saei_objective *o, const saei_parameters *p, size_t rows, uint8_t *fired)
{
    for (size_t j = 0; j < o->settings.n_latents && o->dense; j++)
        fired[j] |= atomic_load_explicit(&o->fired[j], memory_order_relaxed);
    for (size_t r = 0; r < rows && !o->dense; r++)
        for (size_t i = r * o->slots; i < r * o->slots + o->codes.count[r]; i++)
            if (is_active(o, p, i))
                fired[o->codes.latent[i]] = 1;
}

void saei_objective_forward(saei_objective *o, const saei_parameters *p, const saei_penalty *penalty,
                            float scale, size_t rows)
{
    saei_objective_job job = {.o = o, .p = p, .penalty = penalty, .rows = rows, .scale = scale};
    job.e_scale = (float)(-2.0 / (double)rows);
    size_t tiles = saei_objective_tiles(rows);
    saei_parallel_for(o->context, tiles, centre_task, &job);
    switch (o->settings.architecture->selection) {
    case SAEI_SELECT_ROW_TOPK:
        encode_row_topk(&job);
        break;
    case SAEI_SELECT_BATCH_TOPK:
        encode_batch_topk(&job);
        break;
    case SAEI_SELECT_ABOVE_FLOOR:
        encode_above_floor(&job);
        break;
    }
    if (o->dense)
        saei_dense_forward(&job);
    else
        saei_parallel_for(o->context, tiles, residual_task, &job);
}
