#include "train/latent_index.h"
#include "base/memory.h"
#include "base/parallel.h"

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, bool gated, sae_error *err)
{
    saei_latent_index index = {.context = context};
    size_t entries = saei_mul(rows, k);
    sae_status status = saei_alloc(&index.places.start, context, saei_add(n_latents, 1), sizeof(size_t), err);
    if (status == SAE_OK)
        status = saei_alloc(&index.places.next, context, saei_mul(SAEI_PLACE_PARTS, n_latents),
                            sizeof(size_t), err);
    if (status == SAE_OK)
        status = saei_alloc(&index.row, context, entries, sizeof *index.row, err);
    if (status == SAE_OK)
        status = saei_alloc(&index.value, context, entries, sizeof *index.value, err);
    if (status == SAE_OK)
        status = saei_alloc(&index.g, context, entries, sizeof *index.g, err);
    if (status == SAE_OK && gated)
        status = saei_alloc(&index.g_gate, context, entries, sizeof *index.g_gate, err);
    if (status == SAE_OK && gated)
        status = saei_alloc(&index.gate, context, entries, sizeof *index.gate, err);
    if (status != SAE_OK) {
        saei_latent_index_free(&index, context);
        return status;
    }
    *out = index;
    return SAE_OK;
}

void saei_latent_index_free(saei_latent_index *index, sae_context *context)
{
    saei_free(context, index->places.start);
    saei_free(context, index->places.next);
    saei_free(context, index->row);
    saei_free(context, index->value);
    saei_free(context, index->g);
    saei_free(context, index->g_gate);
    saei_free(context, index->gate);
    *index = (saei_latent_index){0};
}

size_t saei_latent_index_bytes(size_t n_latents, size_t rows, size_t k, bool gated)
{
    size_t entry = sizeof(uint32_t) + (gated ? 4 : 2) * sizeof(float);
    size_t places = saei_add(saei_mul(SAEI_PLACE_PARTS + 1, n_latents), 1);
    return saei_add(saei_mul(places, sizeof(size_t)), saei_mul(saei_mul(rows, k), entry));
}

typedef struct fill_job {
    saei_latent_index *index;
    const saei_latent_slots *slots;
    const float *value, *g, *g_gate;
} fill_job;

static void fill_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const fill_job *job = arg;
    const saei_latent_index *index = job->index;
    const saei_latent_slots *s = job->slots;
    size_t *next = index->places.next + part * s->n_latents;
    for (size_t r = saei_latent_part(s, part); r < saei_latent_part(s, part + 1); r++)
        for (size_t i = r * s->k; i < r * s->k + s->count[r]; i++) {
            size_t place = next[s->latent[i]]++;
            index->row[place] = (uint32_t)r;
            index->value[place] = job->value[i];
            index->g[place] = job->g[i];
            if (job->g_gate != NULL)
                index->g_gate[place] = job->g_gate[i];
        }
}

void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *codes, const float *g,
                             const float *g_gate, size_t n_latents, size_t rows, size_t k)
{
    saei_latent_slots slots = {codes->latent, codes->count, n_latents, rows, k};
    fill_job job = {index, &slots, codes->value, g, g_gate};
    saei_latent_places_find(&index->places, index->context, &slots);
    index->n = index->places.start[n_latents];
    saei_parallel_for(index->context, SAEI_PLACE_PARTS, fill_part, &job);
}

saei_named_rows saei_latent_index_rows(const saei_latent_index *index, size_t j, const float *base,
                                       size_t stride)
{
    size_t start = index->places.start[j], end = index->places.start[j + 1];
    return (saei_named_rows){.base = base,
                             .stride = stride,
                             .row = index->row + start,
                             .n = end - start,
                             .next = index->row + end,
                             .n_next = index->n - end};
}
