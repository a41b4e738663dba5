#include "train/latent_index.h"
#include "base/memory.h"

#include <string.h>

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, bool gated, sae_error *err)
{
    saei_latent_index index = {0};
    size_t entries = saei_mul(rows, k);
    sae_status status = saei_alloc(&index.start, context, saei_add(n_latents, 1), sizeof *index.start, err);
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
    return saei_add(saei_mul(saei_add(n_latents, 1), sizeof(size_t)), saei_mul(saei_mul(rows, k), entry));
}

void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *slots, const float *g,
                             const float *g_gate, size_t n_latents, size_t rows, size_t k)
{
    size_t *start = index->start;
    memset(start, 0, (n_latents + 1) * sizeof *start);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < slots->count[r]; i++)
            start[slots->latent[r * k + i] + 1]++;
    for (size_t j = 0; j < n_latents; j++)
        start[j + 1] += start[j];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = r * k; i < r * k + slots->count[r]; i++) {
            size_t place = start[slots->latent[i]]++;
            index->row[place] = (uint32_t)r;
            index->value[place] = slots->value[i];
            index->g[place] = g[i];
            if (g_gate != NULL)
                index->g_gate[place] = g_gate[i];
        }
    /* start[j] has moved to the end of latent j, which is the start of j + 1. */
    memmove(start + 1, start, n_latents * sizeof *start);
    start[0] = 0;
    index->n = start[n_latents];
}

saei_named_rows saei_latent_index_rows(const saei_latent_index *index, size_t j, const float *base,
                                       size_t stride)
{
    size_t start = index->start[j], end = index->start[j + 1];
    return (saei_named_rows){base, stride, index->row + start, end - start, index->row + end, index->n - end};
}
