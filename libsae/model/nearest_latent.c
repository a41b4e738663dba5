#include "model/nearest_latent.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/model.h"
#include "num/blas.h"
#include "num/rows.h"

#include <math.h>

/* Blocks of the product directions × decoder rows, of one size whoever computes them: 256 KiB of cosines. */
enum { BLOCK = 256 };

/* Blocks of decoder rows between two calls of the progress function. */
enum { BLOCKS_AT_ONCE = 1024 };

typedef struct nearest_job {
    const sae_model *model;
    size_t n, first_block;
    float *unit;        /* [n, d] directions of unit length, 0 where there is none */
    float *product;     /* [workers, BLOCK, BLOCK] */
    float *norm;        /* [workers, BLOCK] */
    saei_nearest *best; /* [workers, n]: the largest does not depend on who saw which block */
} nearest_job;

static bool closer(saei_nearest a, saei_nearest b)
{
    return a.cosine > b.cosine || (a.cosine == b.cosine && a.latent < b.latent);
}

static size_t rows_of(size_t total, size_t block)
{
    return saei_min_size(total - block * BLOCK, BLOCK);
}

/* product [m, rows] of m directions from `first` on with the decoder rows of a block. */
static void take_closest(saei_nearest *best, const float *product, const float *norm, size_t m, size_t rows,
                         size_t first_latent)
{
    for (size_t i = 0; i < m; i++)
        for (size_t r = 0; r < rows; r++) {
            float cosine = product[i * rows + r] / norm[r];
            saei_nearest found = {(uint32_t)(first_latent + r), fminf(fmaxf(cosine, -1), 1)};
            if (norm[r] > 0 && closer(found, best[i]))
                best[i] = found;
        }
}

static void compare_block(void *arg, size_t task, unsigned worker)
{
    const nearest_job *job = arg;
    size_t d = job->model->d, block = job->first_block + task, rows = rows_of(job->model->n_latents, block);
    const float *decoder = job->model->W_dec + block * BLOCK * d;
    float *product = job->product + (size_t)worker * BLOCK * BLOCK, *norm = job->norm + worker * BLOCK;
    for (size_t r = 0; r < rows; r++)
        norm[r] = (float)sqrt(saei_row_norm2(decoder + r * d, d));
    for (size_t first = 0; first < job->n; first += BLOCK) {
        size_t m = saei_min_size(job->n - first, BLOCK);
        saei_blas_gemm(product, job->unit + first * d, decoder, d, true, m, rows, d);
        take_closest(job->best + worker * job->n + first, product, norm, m, rows, block * BLOCK);
    }
}

static void make_unit(float *out, const float *direction, size_t d)
{
    double norm = sqrt(saei_row_norm2(direction, d));
    for (size_t i = 0; i < d; i++)
        out[i] = norm > 0 ? (float)((double)direction[i] / norm) : 0;
}

static sae_status compare_all(nearest_job *job, const char *stage, sae_progress_fn progress, void *user,
                              sae_error *err)
{
    size_t blocks = (job->model->n_latents + BLOCK - 1) / BLOCK;
    saei_blas_begin();
    for (job->first_block = 0; job->first_block < blocks; job->first_block += BLOCKS_AT_ONCE) {
        if (progress != NULL && progress(user, stage, job->first_block, blocks) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped while %s", stage);
        saei_parallel_for(job->model->context, saei_min_size(blocks - job->first_block, BLOCKS_AT_ONCE),
                          compare_block, job);
    }
    return SAE_OK;
}

static sae_status alloc_job(nearest_job *job, size_t workers, sae_error *err)
{
    sae_context *context = job->model->context;
    sae_status status =
        saei_alloc(&job->unit, context, saei_mul(job->n, job->model->d), sizeof *job->unit, err);
    if (status == SAE_OK)
        status =
            saei_alloc(&job->product, context, saei_mul(workers, BLOCK * BLOCK), sizeof *job->product, err);
    if (status == SAE_OK)
        status = saei_alloc(&job->norm, context, saei_mul(workers, BLOCK), sizeof *job->norm, err);
    if (status == SAE_OK)
        status = saei_alloc(&job->best, context, saei_mul(workers, job->n), sizeof *job->best, err);
    return status;
}

sae_status saei_nearest_latents(saei_nearest *out, const sae_model *model, const float *directions, size_t n,
                                const char *stage, sae_progress_fn progress, void *user, sae_error *err)
{
    nearest_job job = {.model = model, .n = n};
    sae_context *context = model->context;
    size_t d = model->d, workers = sae_context_threads(context);
    sae_status status = alloc_job(&job, workers, err);
    if (status == SAE_OK) {
        for (size_t i = 0; i < n; i++)
            make_unit(job.unit + i * d, directions + i * d, d);
        for (size_t i = 0; i < workers * n; i++)
            job.best[i] = (saei_nearest){0, -INFINITY};
        status = compare_all(&job, stage, progress, user, err);
    }
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        out[i] = job.best[i];
        for (size_t worker = 1; worker < workers; worker++)
            if (closer(job.best[worker * n + i], out[i]))
                out[i] = job.best[worker * n + i];
        if (!(saei_row_norm2(directions + i * d, d) > 0))
            out[i] = (saei_nearest){0, -INFINITY};
    }
    saei_free(context, job.best);
    saei_free(context, job.norm);
    saei_free(context, job.product);
    saei_free(context, job.unit);
    return status;
}
