#include "diff/strata.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/strata_columns.h"

#include <math.h>
#include <string.h>

struct saei_strata {
    sae_context *context;
    const saei_groups *groups;
    saei_strata_columns columns;
    size_t n_latents;
    /* [groups, strata] 1 / (rows of the group in the stratum · groups that have such rows) */
    double *scale;
    uint32_t *slot; /* [n_latents] 1 + index into sums; 0: has not fired */
    double *sums;   /* [n_slots] the activation [strata], then the firing [strata], both scaled */
    size_t n_slots, capacity;
};

/* Counts first, then the reciprocals. */
static void fill_scales(saei_strata *strata)
{
    saei_strata_columns *columns = &strata->columns;
    size_t n = columns->n_strata;
    for (size_t row = 0; row < columns->rows; row++)
        for (size_t c = 0; c < columns->n; c++) {
            size_t k = columns->of_row[row * columns->n + c];
            strata->scale[strata->groups->of_row[row] * n + k] += 1;
            columns->stratum[k].rows++;
        }
    for (size_t i = 0; i < strata->groups->n * n; i++)
        columns->stratum[i % n].prompts += strata->scale[i] > 0;
    for (size_t i = 0; i < strata->groups->n * n; i++)
        if (strata->scale[i] > 0)
            strata->scale[i] = 1 / (strata->scale[i] * (double)columns->stratum[i % n].prompts);
}

sae_status saei_strata_new(saei_strata **out, sae_context *context, const sae_dump *dump,
                           const saei_groups *groups, const char *const *columns, size_t n_columns,
                           size_t n_latents, sae_error *err)
{
    *out = NULL;
    saei_strata *strata;
    sae_status status = saei_alloc(&strata, context, 1, sizeof *strata, err);
    if (status != SAE_OK)
        return status;
    strata->context = context;
    strata->groups = groups;
    strata->n_latents = n_latents;
    status = saei_strata_columns_read(&strata->columns, context, dump, columns, n_columns, err);
    if (status == SAE_OK)
        status = saei_alloc(&strata->scale, context, saei_mul(groups->n, strata->columns.n_strata),
                            sizeof *strata->scale, err);
    if (status == SAE_OK)
        status = saei_alloc(&strata->slot, context, n_latents, sizeof *strata->slot, err);
    if (status != SAE_OK) {
        saei_strata_free(strata);
        return status;
    }
    fill_scales(strata);
    *out = strata;
    return SAE_OK;
}

void saei_strata_free(saei_strata *strata)
{
    if (strata == NULL)
        return;
    saei_free(strata->context, strata->sums);
    saei_free(strata->context, strata->slot);
    saei_free(strata->context, strata->scale);
    saei_strata_columns_release(&strata->columns, strata->context);
    saei_free(strata->context, strata);
}

/* The sums of a latent, made when it fires for the first time. */
static sae_status sums_of(double **out, saei_strata *strata, uint32_t latent, sae_error *err)
{
    size_t width = 2 * strata->columns.n_strata;
    if (strata->slot[latent] == 0) {
        if (strata->n_slots == strata->capacity) {
            size_t wanted = saei_min_size(2 * strata->capacity + 64, strata->n_latents);
            sae_status status = saei_grow(&strata->sums, strata->context, saei_mul(strata->n_slots, width),
                                          saei_mul(wanted, width), sizeof *strata->sums, err);
            if (status != SAE_OK)
                return status;
            strata->capacity = wanted;
        }
        strata->slot[latent] = (uint32_t)++strata->n_slots;
    }
    *out = strata->sums + (strata->slot[latent] - 1) * width;
    return SAE_OK;
}

static sae_status add_row(saei_strata *strata, const sae_codes_view *codes, size_t r, uint64_t row,
                          sae_error *err)
{
    const saei_strata_columns *columns = &strata->columns;
    const uint8_t *strata_of_row = columns->of_row + row * columns->n;
    const double *scale = strata->scale + strata->groups->of_row[row] * columns->n_strata;
    for (uint64_t i = codes->row_ptr[r]; i < codes->row_ptr[r + 1]; i++) {
        double *sums;
        sae_status status = sums_of(&sums, strata, codes->latent[i], err);
        if (status != SAE_OK)
            return status;
        for (size_t c = 0; c < columns->n; c++) {
            size_t k = strata_of_row[c];
            sums[k] += scale[k] * (double)codes->value[i];
            sums[columns->n_strata + k] += scale[k];
        }
    }
    return SAE_OK;
}

sae_status saei_strata_observe(void *user, const saei_block *block, sae_error *err)
{
    saei_strata *strata = user;
    sae_status status = SAE_OK;
    for (size_t r = 0; status == SAE_OK && r < block->x.rows; r++)
        status = add_row(strata, &block->codes, r, block->first + r, err);
    return status;
}

size_t saei_strata_count(const saei_strata *strata)
{
    return strata->columns.n_strata;
}

sae_stratum saei_strata_at(const saei_strata *strata, size_t i)
{
    return strata->columns.stratum[i];
}

static double sum_at(const saei_strata *strata, uint32_t latent, size_t i)
{
    uint32_t slot = strata->slot[latent];
    return slot > 0 ? strata->sums[(slot - 1) * 2 * strata->columns.n_strata + i] : 0;
}

void saei_strata_latent(double *mean, double *freq, const saei_strata *strata, uint32_t latent)
{
    size_t n = strata->columns.n_strata;
    for (size_t k = 0; k < n; k++) {
        mean[k] = sum_at(strata, latent, k);
        freq[k] = sum_at(strata, latent, n + k);
    }
}

static size_t find(const saei_strata *strata, const sae_stratum *wanted)
{
    size_t k = 0;
    while (k < strata->columns.n_strata) {
        const sae_stratum *s = &strata->columns.stratum[k];
        if (strcmp(s->column, wanted->column) == 0 && s->low == wanted->low && s->high == wanted->high)
            break;
        k++;
    }
    return k;
}

size_t saei_strata_union(const saei_strata *before, const saei_strata *after)
{
    size_t n = after->columns.n_strata;
    for (size_t k = 0; k < before->columns.n_strata; k++)
        n += find(after, &before->columns.stratum[k]) == after->columns.n_strata;
    return n;
}

/* k is beyond the strata where the side lacks this one. */
static void fill_side(sae_stratum *stratum, double *mean, double *freq, const saei_strata *strata, size_t k,
                      const sae_stratum *wanted, uint32_t latent)
{
    size_t n = strata->columns.n_strata;
    bool there = k < n;
    *stratum = there ? strata->columns.stratum[k]
                     : (sae_stratum){.column = wanted->column, .low = wanted->low, .high = wanted->high};
    *mean = there ? sum_at(strata, latent, k) : (double)NAN;
    *freq = there ? sum_at(strata, latent, n + k) : (double)NAN;
}

static void fill_change(sae_stratum_change *out, const saei_strata *before, const saei_strata *after,
                        const sae_stratum *wanted, uint32_t latent)
{
    fill_side(&out->before, &out->mean_before, &out->freq_before, before, find(before, wanted), wanted,
              latent);
    fill_side(&out->after, &out->mean_after, &out->freq_after, after, find(after, wanted), wanted, latent);
}

void saei_strata_compare(sae_stratum_change *out, const saei_strata *before, const saei_strata *after,
                         uint32_t latent)
{
    size_t n = after->columns.n_strata;
    for (size_t k = 0; k < n; k++)
        fill_change(&out[k], before, after, &after->columns.stratum[k], latent);
    for (size_t k = 0; k < before->columns.n_strata; k++)
        if (find(after, &before->columns.stratum[k]) == after->columns.n_strata)
            fill_change(&out[n++], before, after, &before->columns.stratum[k], latent);
}
