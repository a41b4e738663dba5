/* Mean, variance and identity of the selected rows in one pass. */
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "dump/dump.h"
#include "dump/handle.h"
#include "dump/outliers.h"
#include "num/rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* Blocks of 256 rows whatever the dump, the threads and the memory are: the sums are merged block by block,
   in order, so that the figures depend on the values alone. */
enum { BLOCK_ROWS = 256, BLOCKS_MAX = 64, BUFFER_BYTES = 32 << 20 };

/* Of one block: n rows, m2 = Σ‖x − mean of the block‖², sum_square = Σ‖x‖². */
typedef struct block_moments {
    uint64_t n;
    double *mean;    /* [d] */
    double *by_axis; /* [2 d]: m2 and sum_square of each axis, so that no sum waits for the one before */
    double m2, sum_square, sum_norm; /* the last: Σ‖x‖ */
} block_moments;

typedef struct scan {
    const float *rows;
    uint64_t n_rows;
    size_t d;
    block_moments *blocks;
    double *norm2; /* [rows at once]: ‖x‖² */
} scan;

static void measure_block(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const scan *s = arg;
    size_t d = s->d;
    uint64_t first = (uint64_t)task * BLOCK_ROWS;
    uint64_t n = s->n_rows - first < BLOCK_ROWS ? s->n_rows - first : BLOCK_ROWS;
    const float *x = s->rows + (size_t)first * d;
    block_moments *block = &s->blocks[task];
    double *mean = block->mean, *m2 = block->by_axis, *sum_square = m2 + d;
    memset(mean, 0, d * sizeof *mean);
    memset(m2, 0, 2 * d * sizeof *m2);
    for (uint64_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            mean[j] += (double)x[i * d + j];
    for (size_t j = 0; j < d; j++)
        mean[j] /= (double)n;
    block->sum_norm = 0;
    for (uint64_t i = 0; i < n; i++) {
        for (size_t j = 0; j < d; j++) {
            double value = (double)x[i * d + j], off = value - mean[j];
            m2[j] += off * off;
            sum_square[j] += value * value;
        }
        s->norm2[first + i] = saei_row_norm2(x + i * d, d);
        block->sum_norm += sqrt(s->norm2[first + i]);
    }
    block->n = n;
    block->m2 = block->sum_square = 0;
    for (size_t j = 0; j < d; j++) {
        block->m2 += m2[j];
        block->sum_square += sum_square[j];
    }
}

/* Chan, Golub & LeVeque 1983: m2 of a union = m2_a + m2_b + ‖mean_b − mean_a‖² n_a n_b / (n_a + n_b). */
static void merge_block(block_moments *all, const block_moments *block, size_t d)
{
    double n_a = (double)all->n, n_b = (double)block->n, n = n_a + n_b, distance = 0;
    for (size_t j = 0; j < d; j++) {
        double step = block->mean[j] - all->mean[j];
        distance += step * step;
        all->mean[j] += step * (n_b / n);
    }
    all->n += block->n;
    all->m2 += block->m2 + distance * (n_a * n_b / n);
    all->sum_square += block->sum_square;
    all->sum_norm += block->sum_norm;
}

static sae_status scan_rows(block_moments *all, saei_norms *norms, XXH3_state_t *hash, float *rows, scan *s,
                            size_t rows_at_once, const sae_dump *dump, sae_progress_fn progress, void *user,
                            sae_error *err)
{
    uint64_t total = sae_dump_rows(dump);
    char stage[128];
    snprintf(stage, sizeof stage, "reading %s", dump->name);
    for (uint64_t first = 0; first < total; first += rows_at_once) {
        if (progress != NULL && progress(user, stage, first, total) != 0)
            return saei_fail(err, SAE_STOPPED, "%s: stopped", stage);
        s->n_rows = total - first < rows_at_once ? total - first : rows_at_once;
        sae_status status = sae_dump_read(rows, dump, first, (size_t)s->n_rows, err);
        if (status != SAE_OK)
            return status;
        size_t blocks = (size_t)((s->n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS);
        saei_parallel_for(dump->context, blocks, measure_block, s);
        for (size_t b = 0; b < blocks; b++)
            merge_block(all, &s->blocks[b], s->d);
        saei_norms_add(norms, s->norm2, (size_t)s->n_rows, first);
        XXH3_128bits_update(hash, rows, (size_t)s->n_rows * s->d * sizeof *rows);
    }
    if (progress != NULL && progress(user, stage, total, total) != 0)
        return saei_fail(err, SAE_STOPPED, "%s: stopped", stage);
    return SAE_OK;
}

static double mean_over_sigma(const double *mean, size_t d, double variance)
{
    double mean2 = 0;
    for (size_t j = 0; j < d; j++)
        mean2 += mean[j] * mean[j];
    return sqrt(mean2 / variance);
}

/* Enough rows that threads have packed chunks to share. */
static size_t blocks_at_once(const sae_context *context, size_t d)
{
    uint64_t bytes = saei_memory_left(context) / 8;
    if (bytes > BUFFER_BYTES)
        bytes = BUFFER_BYTES;
    size_t blocks = (size_t)bytes / saei_mul(BLOCK_ROWS * sizeof(float), d);
    return blocks < 1 ? 1 : blocks > BLOCKS_MAX ? BLOCKS_MAX : blocks;
}

sae_status saei_dump_scan(saei_dump_scan_result *out, const sae_dump *dump, sae_progress_fn progress,
                          void *user, sae_error *err)
{
    *out = (saei_dump_scan_result){0};
    sae_context *context = dump->context;
    size_t d = dump->d, n_blocks = blocks_at_once(context, d), rows_at_once = n_blocks * BLOCK_ROWS;
    float *rows = NULL;
    double *scratch = NULL; /* of the blocks, then ‖x‖² of their rows */
    saei_norms *norms = NULL;
    block_moments blocks[BLOCKS_MAX], all = {0};
    XXH3_state_t *hash = NULL;
    sae_status status = saei_alloc(&rows, context, saei_mul(rows_at_once, d), sizeof *rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&scratch, context, saei_add(saei_mul(3 * n_blocks, d), rows_at_once),
                            sizeof *scratch, err);
    if (status == SAE_OK)
        status = saei_alloc(&norms, context, 1, sizeof *norms, err);
    if (status == SAE_OK)
        status = saei_alloc(&all.mean, context, d, sizeof *all.mean, err);
    if (status != SAE_OK)
        goto done;
    hash = XXH3_createState();
    if (hash == NULL) {
        status = saei_fail(err, SAE_E_MEMORY, "out of memory for the hash of %s", dump->name);
        goto done;
    }
    for (size_t b = 0; b < n_blocks; b++)
        blocks[b] = (block_moments){.mean = scratch + 3 * b * d, .by_axis = scratch + (3 * b + 1) * d};
    XXH3_128bits_reset(hash);
    scan s = {.rows = rows, .d = d, .blocks = blocks, .norm2 = scratch + 3 * n_blocks * d};
    status = scan_rows(&all, norms, hash, rows, &s, rows_at_once, dump, progress, user, err);
    if (status != SAE_OK)
        goto done;
    out->mean_square = all.sum_square / (double)all.n;
    out->mean_norm = all.sum_norm / (double)all.n;
    out->variance = all.m2 / (double)all.n;
    out->outliers = saei_norms_outliers(norms, dump);
    out->outliers.mean_over_sigma = mean_over_sigma(all.mean, d, out->variance);
    XXH128_hash_t digest = XXH3_128bits_digest(hash);
    snprintf(out->hash, sizeof out->hash, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    out->mean = all.mean;
    all.mean = NULL;
done:
    saei_free(context, rows);
    saei_free(context, scratch);
    saei_free(context, norms);
    saei_free(context, all.mean);
    XXH3_freeState(hash);
    return status;
}
