#include "train/latent_index.h"
#include "base/memory.h"

#include <string.h>

sae_status saei_latent_index_new(saei_latent_index *out, sae_context *context, size_t n_latents, size_t rows,
                                 size_t k, sae_error *err)
{
    saei_latent_index index = {0};
    size_t entries = saei_mul(rows, k);
    sae_status status = saei_alloc(&index.start, context, saei_add(n_latents, 1), sizeof *index.start, err);
    if (status == SAE_OK)
        status = saei_alloc(&index.row, context, entries, sizeof *index.row, err);
    if (status == SAE_OK)
        status = saei_alloc(&index.value, context, entries, sizeof *index.value, err);
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
    *index = (saei_latent_index){0};
}

void saei_latent_index_build(saei_latent_index *index, const saei_code_slots *slots, size_t n_latents,
                             size_t rows, size_t k)
{
    size_t *start = index->start;
    memset(start, 0, (n_latents + 1) * sizeof *start);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < slots->count[r]; i++)
            start[slots->latent[r * k + i] + 1]++;
    for (size_t j = 0; j < n_latents; j++)
        start[j + 1] += start[j];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < slots->count[r]; i++) {
            size_t place = start[slots->latent[r * k + i]]++;
            index->row[place] = (uint32_t)r;
            index->value[place] = slots->value[r * k + i];
        }
    /* start[j] has moved to the end of latent j, which is the start of j + 1. */
    memmove(start + 1, start, n_latents * sizeof *start);
    start[0] = 0;
}
