#include "train/latent_index.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <string.h>

/* Of the rows, sorted at once. */
enum { PARTS = 4 };

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, bool gated, sae_error *err)
{
    saei_latent_index index = {.context = context};
    size_t entries = saei_mul(rows, k);
    sae_status status = saei_alloc(&index.start, context, saei_add(n_latents, 1), sizeof *index.start, err);
    if (status == SAE_OK)
        status = saei_alloc(&index.next, context, saei_mul(PARTS, n_latents), sizeof *index.next, err);
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
    saei_free(context, index->start);
    saei_free(context, index->next);
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
    size_t places = saei_add(saei_mul(PARTS + 1, n_latents), 1);
    return saei_add(saei_mul(places, sizeof(size_t)), saei_mul(saei_mul(rows, k), entry));
}

typedef struct build_job {
    saei_latent_index *index;
    const saei_code_slots *slots;
    const float *g, *g_gate;
    size_t n_latents, rows, k;
} build_job;

static size_t part_start(const build_job *job, size_t part)
{
    return job->rows * part / PARTS;
}

static void count_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const build_job *job = arg;
    size_t *count = job->index->next + part * job->n_latents;
    memset(count, 0, job->n_latents * sizeof *count);
    for (size_t r = part_start(job, part); r < part_start(job, part + 1); r++)
        for (size_t i = r * job->k; i < r * job->k + job->slots->count[r]; i++)
            count[job->slots->latent[i]]++;
}

/* Counts become the places of the first entries: the rows of a part come after those of the parts before. */
static void place_parts(const build_job *job)
{
    saei_latent_index *index = job->index;
    size_t n = 0;
    for (size_t j = 0; j < job->n_latents; j++) {
        index->start[j] = n;
        for (size_t *next = index->next + j; next < index->next + PARTS * job->n_latents;
             next += job->n_latents) {
            size_t count = *next;
            *next = n;
            n += count;
        }
    }
    index->start[job->n_latents] = n;
    index->n = n;
}

static void fill_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const build_job *job = arg;
    const saei_latent_index *index = job->index;
    size_t *next = index->next + part * job->n_latents;
    for (size_t r = part_start(job, part); r < part_start(job, part + 1); r++)
        for (size_t i = r * job->k; i < r * job->k + job->slots->count[r]; i++) {
            size_t place = next[job->slots->latent[i]]++;
            index->row[place] = (uint32_t)r;
            index->value[place] = job->slots->value[i];
            index->g[place] = job->g[i];
            if (job->g_gate != NULL)
                index->g_gate[place] = job->g_gate[i];
        }
}

void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *slots, const float *g,
                             const float *g_gate, size_t n_latents, size_t rows, size_t k)
{
    build_job job = {index, slots, g, g_gate, n_latents, rows, k};
    saei_parallel_for(index->context, PARTS, count_part, &job);
    place_parts(&job);
    saei_parallel_for(index->context, PARTS, fill_part, &job);
}

saei_named_rows saei_latent_index_rows(const saei_latent_index *index, size_t j, const float *base,
                                       size_t stride)
{
    size_t start = index->start[j], end = index->start[j + 1];
    return (saei_named_rows){base, stride, index->row + start, end - start, index->row + end, index->n - end};
}
