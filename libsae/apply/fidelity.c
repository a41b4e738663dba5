#include "apply/fidelity.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

typedef struct row_sums {
    double error;   /* Σ‖x − x̂‖² */
    double squares; /* Σ‖x − s‖² */
    double cosine;  /* Σ cos(x, x̂) */
} row_sums;

struct saei_fidelity_sums {
    sae_context *context;
    size_t d, n_latents;
    uint64_t rows, active;
    row_sums sums;
    double *shift; /* s [d]: the first row. Variances of x − s do not cancel when x has a large common mean */
    double *column;       /* Σ (x − s) [d] */
    unsigned char *fired; /* [F] */
    row_sums chunk[SAEI_BLOCK_CHUNKS];
    double *chunk_column; /* [SAEI_BLOCK_CHUNKS, d] */
};

sae_status saei_fidelity_new(saei_fidelity_sums **out, sae_context *context, size_t d, size_t n_latents,
                             sae_error *err)
{
    *out = NULL;
    saei_fidelity_sums *sums;
    sae_status status = saei_alloc(&sums, context, 1, sizeof *sums, err);
    if (status != SAE_OK)
        return status;
    *sums = (saei_fidelity_sums){.context = context, .d = d, .n_latents = n_latents};
    status = saei_alloc(&sums->shift, context, d, sizeof *sums->shift, err);
    if (status == SAE_OK)
        status = saei_alloc(&sums->column, context, d, sizeof *sums->column, err);
    if (status == SAE_OK)
        status = saei_alloc(&sums->fired, context, n_latents, 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&sums->chunk_column, context, saei_mul(SAEI_BLOCK_CHUNKS, d),
                            sizeof *sums->chunk_column, err);
    if (status != SAE_OK) {
        saei_fidelity_free(sums);
        return status;
    }
    *out = sums;
    return SAE_OK;
}

void saei_fidelity_free(saei_fidelity_sums *sums)
{
    if (sums == NULL)
        return;
    saei_free(sums->context, sums->chunk_column);
    saei_free(sums->context, sums->fired);
    saei_free(sums->context, sums->column);
    saei_free(sums->context, sums->shift);
    saei_free(sums->context, sums);
}

static void add_row(row_sums *sums, double *column, const double *shift, const float *x, const float *xhat,
                    size_t d)
{
    double error = 0, squares = 0, xx = 0, hh = 0, xh = 0;
    for (size_t j = 0; j < d; j++) {
        double a = (double)x[j], b = (double)xhat[j], shifted = a - shift[j];
        error += (a - b) * (a - b);
        squares += shifted * shifted;
        column[j] += shifted;
        xx += a * a;
        hh += b * b;
        xh += a * b;
    }
    sums->error += error;
    sums->squares += squares;
    if (xx > 0 && hh > 0)
        sums->cosine += xh / (sqrt(xx) * sqrt(hh));
}

typedef struct chunk_task {
    saei_fidelity_sums *sums;
    const saei_block *block;
} chunk_task;

static void sum_chunk(void *arg, size_t chunk, unsigned worker)
{
    (void)worker;
    const chunk_task *task = arg;
    saei_fidelity_sums *sums = task->sums;
    const saei_block *block = task->block;
    size_t d = sums->d, first = chunk * SAEI_CHUNK_ROWS, end = first + SAEI_CHUNK_ROWS;
    double *column = sums->chunk_column + chunk * d;
    memset(column, 0, d * sizeof *column);
    sums->chunk[chunk] = (row_sums){0};
    for (size_t r = first; r < end && r < block->x.rows; r++)
        add_row(&sums->chunk[chunk], column, sums->shift, block->x.data + r * block->x.stride,
                block->xhat + r * d, d);
}

static void add_chunk(saei_fidelity_sums *sums, size_t chunk)
{
    sums->sums.error += sums->chunk[chunk].error;
    sums->sums.squares += sums->chunk[chunk].squares;
    sums->sums.cosine += sums->chunk[chunk].cosine;
    for (size_t j = 0; j < sums->d; j++)
        sums->column[j] += sums->chunk_column[chunk * sums->d + j];
}

sae_status saei_fidelity_observe(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    saei_fidelity_sums *sums = user;
    if (sums->rows == 0)
        for (size_t j = 0; j < sums->d; j++)
            sums->shift[j] = (double)block->x.data[j];
    size_t chunks = (block->x.rows + SAEI_CHUNK_ROWS - 1) / SAEI_CHUNK_ROWS;
    saei_parallel_for(sums->context, chunks, sum_chunk, &(chunk_task){sums, block});
    for (size_t chunk = 0; chunk < chunks; chunk++)
        add_chunk(sums, chunk);
    uint64_t entries = block->codes.row_ptr[block->codes.rows];
    for (uint64_t i = 0; i < entries; i++)
        sums->fired[block->codes.latent[i]] = 1;
    sums->active += entries;
    sums->rows += block->x.rows;
    return SAE_OK;
}

sae_fidelity saei_fidelity_get(const saei_fidelity_sums *sums)
{
    double n = (double)sums->rows, variance = sums->sums.squares;
    for (size_t j = 0; j < sums->d; j++)
        variance -= sums->column[j] * sums->column[j] / n;
    size_t dead = 0;
    for (size_t j = 0; j < sums->n_latents; j++)
        dead += sums->fired[j] == 0;
    double fvu = variance > 0 ? sums->sums.error / variance : (double)NAN;
    return (sae_fidelity){.rows = sums->rows,
                          .fvu = fvu,
                          .explained_variance = 1 - fvu,
                          .l0 = (double)sums->active / n,
                          .dead = (double)dead / (double)sums->n_latents,
                          .cosine = sums->sums.cosine / n};
}
