#include "base/memory.h"
#include "base/parallel.h"
#include "train/objective_inside.h"

#include <string.h>

/* Slots of architectures without a k: more codes than one latent in so many are handled as dense ones, which
   costs no more then; and so many slots for BatchTopK, where a row may take the share of others. */
enum { DENSE_SHARE = 8, SLOTS_MIN = 64, BATCH_SHARE = 8 };

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t slots_of(const saei_objective_settings *s)
{
    switch (s->architecture->selection) {
    case SAEI_SELECT_ROW_TOPK:
        return s->k;
    case SAEI_SELECT_BATCH_TOPK:
        return saei_min_size(saei_mul(s->row_share != 0 ? s->row_share : BATCH_SHARE, s->k), s->n_latents);
    case SAEI_SELECT_ABOVE_FLOOR:
        break;
    }
    return saei_min_size(max_size(SLOTS_MIN, s->n_latents / DENSE_SHARE), s->n_latents);
}

static bool may_be_dense(const saei_objective_settings *s)
{
    return s->architecture->selection == SAEI_SELECT_ABOVE_FLOOR;
}

static size_t parts_max(const saei_objective_settings *s)
{
    size_t dense = may_be_dense(s) ? (s->n_latents + SAEI_DENSE_LATENTS - 1) / SAEI_DENSE_LATENTS : 0;
    return max_size(SAEI_SLICES, dense);
}

size_t saei_objective_tile_floats(const saei_objective_settings *s)
{
    size_t dense = may_be_dense(s) ? 2 * SAEI_TILE_ROWS * SAEI_DENSE_BLOCK : 0;
    return max_size(saei_encoder_scratch(s->d, s->n_latents, slots_of(s), !s->blas_encoder), dense);
}

size_t saei_objective_part_floats(const saei_objective_settings *s)
{
    size_t block = saei_mul(SAEI_DENSE_LATENTS, saei_add(saei_mul(4, s->batch_rows), saei_mul(2, s->d)));
    return may_be_dense(s) ? block : s->d;
}

typedef struct buffer {
    void *pointer;
    size_t count, size;
} buffer;

/* Threads that the plan of the memory provides for; a plan must not follow the number there is. */
enum { BUFFERS = 22, THREADS_PLANNED = 16 };

/* Every plain array of the objective; count 0: not needed. */
static void list_buffers(buffer out[BUFFERS], saei_objective *o, const saei_objective_settings *s,
                         size_t threads)
{
    size_t batch = saei_mul(s->batch_rows, s->d), tiles = saei_objective_tiles(s->batch_rows);
    size_t slots = saei_mul(s->batch_rows, slots_of(s)), gate = s->architecture->gated ? 1 : 0;
    bool floors = s->architecture->selection != SAEI_SELECT_ROW_TOPK;
    const buffer all[BUFFERS] = {
        {&o->xc, batch, sizeof(float)},
        {&o->e, saei_mul(batch, s->n_groups), sizeof(float)},
        {&o->e_gate, gate * batch, sizeof(float)},
        {&o->floor, floors ? s->n_latents : 0, sizeof(float)},
        {&o->g, slots, sizeof(float)},
        {&o->g_gate, gate * slots, sizeof(float)},
        {&o->fired, may_be_dense(s) ? s->n_latents : 0, sizeof(uint8_t)},
        {&o->powers.now, s->root_penalty ? s->batch_rows : 0, sizeof(double)},
        {&o->powers.next, s->root_penalty ? s->batch_rows : 0, sizeof(double)},
        {&o->powers.slope, s->root_penalty ? s->batch_rows : 0, sizeof(float)},
        {&o->dead, s->pre_act_coefficient > 0.0 ? s->n_latents : 0, sizeof(uint8_t)},
        {&o->norm_x, s->batch_rows, sizeof(float)},
        {&o->norm_e, saei_mul(s->batch_rows, s->n_groups), sizeof(float)},
        {&o->norm_gate, gate * s->batch_rows, sizeof(float)},
        {&o->tile_sums, saei_mul(tiles, saei_add(SAEI_SUM_VECTORS, saei_mul(2, s->d))), sizeof(double)},
        {&o->latent_sums, s->n_latents, sizeof(saei_latent_sums)},
        {&o->part_norm2, parts_max(s), sizeof(double)},
        {&o->part_b_dec, saei_mul(parts_max(s), s->d), sizeof(float)},
        {&o->g_b_dec, s->d, sizeof(float)},
        {&o->tile_floats, saei_mul(saei_objective_tile_floats(s), saei_min_size(threads, tiles)),
         sizeof(float)},
        {&o->counts, saei_min_size(threads, tiles), sizeof(saei_screen_counts)},
        {&o->part_floats, saei_mul(saei_objective_part_floats(s), saei_min_size(threads, parts_max(s))),
         sizeof(float)},
    };
    memcpy(out, all, sizeof all);
}

sae_status saei_objective_new(saei_objective *out, sae_context *context,
                              const saei_objective_settings *settings, sae_error *err)
{
    saei_objective o = {.context = context, .settings = *settings, .slots = slots_of(settings)};
    o.k = settings->k;
    o.fixed_threshold = -1.0f;
    buffer buffers[BUFFERS];
    list_buffers(buffers, &o, settings, sae_context_threads(context));
    sae_status status = saei_code_slots_new(&o.codes, context, settings->batch_rows, o.slots, err);
    if (status == SAE_OK)
        status = saei_latent_index_new(&o.index, context, settings->n_latents, settings->batch_rows, o.slots,
                                       settings->architecture->gated, err);
    if (status == SAE_OK)
        status = saei_auxk_new(&o.aux, context, &settings->aux, settings->d, settings->n_latents,
                               settings->batch_rows, err);
    if (status == SAE_OK && settings->rank_by_decoder_norm)
        status = saei_selection_weights_new(&o.selection, context, settings->d, settings->n_latents, err);
    if (status == SAE_OK && !settings->blas_encoder)
        status = saei_panels_new(&o.panels, context, settings->d, settings->n_latents, NULL, err);
    for (size_t i = 0; status == SAE_OK && i < BUFFERS; i++)
        if (buffers[i].count > 0)
            status = saei_alloc(buffers[i].pointer, context, buffers[i].count, buffers[i].size, err);
    if (status != SAE_OK) {
        saei_objective_free(&o);
        return status;
    }
    *out = o;
    return SAE_OK;
}

void saei_objective_free(saei_objective *o)
{
    if (o->context == NULL)
        return;
    void *const blocks[] = {o->xc,          o->e,           o->e_gate,     o->floor,      o->g,
                            o->g_gate,      o->fired,       o->norm_x,     o->norm_e,     o->norm_gate,
                            o->tile_sums,   o->latent_sums, o->part_norm2, o->part_b_dec, o->g_b_dec,
                            o->tile_floats, o->part_floats, o->counts,     o->dead,       o->powers.now,
                            o->powers.next, o->powers.slope};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        saei_free(o->context, blocks[i]);
    saei_code_slots_free(&o->codes, o->context);
    saei_latent_index_free(&o->index, o->context);
    saei_auxk_free(&o->aux);
    saei_selection_weights_free(&o->selection, o->context);
    saei_panels_free(o->panels);
    *o = (saei_objective){0};
}

typedef struct pack_job {
    const saei_objective *o;
    const saei_parameters *p;
} pack_job;

static void pack_slice(void *arg, size_t slice, unsigned worker)
{
    (void)worker;
    const pack_job *job = arg;
    size_t first = saei_slice_start(job->o, slice), end = saei_slice_start(job->o, slice + 1);
    saei_objective_pack_latents(job->o, job->p, first, end);
}

void saei_objective_pack_latents(const saei_objective *o, const saei_parameters *p, size_t first, size_t end)
{
    if (o->selection.W != NULL)
        saei_selection_weights_set(&o->selection, p, first, end);
    const float *W = o->selection.W != NULL ? o->selection.W : p->W_enc;
    if (o->panels != NULL)
        saei_panels_pack(o->panels, first, end - first, W + first * p->d);
}

void saei_objective_pack(saei_objective *o, const saei_parameters *parameters)
{
    pack_job job = {o, parameters};
    if (o->panels != NULL || o->selection.W != NULL)
        saei_parallel_for(o->context, SAEI_SLICES, pack_slice, &job);
}

void saei_objective_set_dead(saei_objective *o, const uint64_t *silent, uint64_t dead_after)
{
    saei_auxk_set_dead(&o->aux, silent, dead_after);
    o->n_dead = 0;
    for (size_t j = 0; j < o->settings.n_latents && o->dead != NULL; j++) {
        o->dead[j] = silent[j] >= dead_after;
        o->n_dead += o->dead[j];
    }
}

size_t saei_objective_bytes(const saei_objective_settings *s)
{
    saei_objective none;
    buffer buffers[BUFFERS];
    size_t slots = slots_of(s), code = sizeof(uint32_t) + sizeof(float);
    list_buffers(buffers, &none, s, THREADS_PLANNED);
    size_t bytes =
        saei_add(saei_mul(s->batch_rows, saei_add(saei_mul(slots, code), sizeof(uint32_t))),
                 saei_latent_index_bytes(s->n_latents, s->batch_rows, slots, s->architecture->gated));
    for (size_t i = 0; i < BUFFERS; i++)
        bytes = saei_add(bytes, saei_mul(buffers[i].count, buffers[i].size));
    bytes = saei_add(bytes, s->blas_encoder ? 0 : saei_panels_bytes(s->d, s->n_latents));
    bytes = saei_add(bytes, s->rank_by_decoder_norm ? saei_selection_weights_bytes(s->d, s->n_latents) : 0);
    return saei_add(bytes, saei_auxk_bytes(&s->aux, s->d, s->n_latents, s->batch_rows));
}
