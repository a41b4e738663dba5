/* The largest cosine of each decoder row with another, by blocks of rows against blocks of rows. */
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/model.h"
#include "num/blas.h"
#include "num/order.h"
#include "num/rows.h"

#include <math.h>

/* Rows of a block: 256 KiB of cosines, which stay in cache, and two blocks of unit rows, for each worker. */
enum { BLOCK = 256 };

/* Pairs of blocks between two calls of the progress function. */
enum { PAIRS_AT_ONCE = 1024 };

typedef struct cosine_job {
    sae_context *context;
    const sae_model *model;
    size_t blocks, workers;
    size_t first_pair;
    float *unit;   /* [workers, 2, BLOCK, d] */
    float *cosine; /* [workers, BLOCK, BLOCK] */
    float *most;   /* [workers, F]: a maximum does not depend on who saw which pair */
} cosine_job;

static size_t rows_of(const cosine_job *job, size_t block)
{
    size_t left = job->model->n_latents - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

/* A row of length 0 becomes NaN, and so do its cosines: they are never above another. */
static void make_unit(float *out, const cosine_job *job, size_t block)
{
    size_t d = job->model->d;
    for (size_t r = 0; r < rows_of(job, block); r++) {
        const float *row = job->model->W_dec + (block * BLOCK + r) * d;
        double norm = sqrt(saei_row_norm2(row, d));
        for (size_t i = 0; i < d; i++)
            out[r * d + i] = norm > 0 ? (float)((double)row[i] / norm) : NAN;
    }
}

/* Pair p of the blocks a <= b, in the order (0, 0), (0, 1), (1, 1), (0, 2) … */
static void pair_at(size_t *a, size_t *b, size_t p)
{
    *b = (size_t)((sqrt(8.0 * (double)p + 1) - 1) / 2);
    while (*b * (*b + 1) / 2 > p)
        --*b;
    while ((*b + 1) * (*b + 2) / 2 <= p)
        ++*b;
    *a = p - *b * (*b + 1) / 2;
}

static void compare_blocks(void *arg, size_t task, unsigned worker)
{
    const cosine_job *job = arg;
    size_t d = job->model->d, a, b;
    pair_at(&a, &b, job->first_pair + task);
    size_t m = rows_of(job, a), n = rows_of(job, b);
    float *unit_a = job->unit + worker * 2 * BLOCK * d, *unit_b = unit_a + BLOCK * d;
    float *cosine = job->cosine + (size_t)worker * BLOCK * BLOCK;
    float *most_a = job->most + worker * job->model->n_latents + a * BLOCK,
          *most_b = most_a + (b - a) * BLOCK;
    make_unit(unit_a, job, a);
    make_unit(unit_b, job, b);
    saei_blas_gemm(cosine, unit_a, unit_b, d, true, m, n, d);
    for (size_t r = 0; r < m; r++) {
        if (a == b)
            cosine[r * n + r] = -INFINITY;
        for (size_t c = 0; c < n; c++) {
            float x = cosine[r * n + c];
            most_a[r] = x > most_a[r] ? x : most_a[r];
            most_b[c] = x > most_b[c] ? x : most_b[c];
        }
    }
}

static sae_status compare_all(cosine_job *job, sae_progress_fn progress, void *user, sae_error *err)
{
    size_t pairs = job->blocks * (job->blocks + 1) / 2;
    saei_blas_begin();
    for (size_t first = 0; first < pairs; first += PAIRS_AT_ONCE) {
        if (progress != NULL && progress(user, "comparing decoder rows", first, pairs) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped while comparing decoder rows");
        job->first_pair = first;
        saei_parallel_for(job->context, pairs - first < PAIRS_AT_ONCE ? pairs - first : PAIRS_AT_ONCE,
                          compare_blocks, job);
    }
    return SAE_OK;
}

static bool has_direction(const sae_model *model, size_t latent)
{
    return saei_row_norm2(model->W_dec + latent * model->d, model->d) > 0;
}

/* The largest cosine of latent j; NaN without another that has a direction. */
static double largest_of(const cosine_job *job, size_t j)
{
    size_t F = job->model->n_latents;
    float x = job->most[j];
    for (size_t worker = 1; worker < job->workers; worker++)
        x = fmaxf(x, job->most[worker * F + j]);
    return has_direction(job->model, j) && isfinite(x) ? fmin((double)x, 1) : NAN;
}

static sae_decoder_cosines summarise(const cosine_job *job, double *most)
{
    sae_decoder_cosines out = {.mean = NAN, .median = NAN, .upper = NAN, .most = NAN};
    size_t n = 0;
    double sum = 0;
    for (size_t j = 0; j < job->model->n_latents; j++)
        if (has_direction(job->model, j))
            most[n++] = largest_of(job, j);
    out.latents = n;
    if (n < 2)
        return out;
    for (size_t i = 0; i < n; i++) {
        double bin = floor(most[i] * SAE_COSINE_BINS);
        sum += most[i];
        out.bins[(size_t)fmin(fmax(bin, 0), SAE_COSINE_BINS - 1)]++;
    }
    out.mean = sum / (double)n;
    out.median = saei_quantile(most, n, 0.5);
    out.upper = saei_quantile(most, n, 0.95);
    out.most = saei_quantile(most, n, 1);
    return out;
}

sae_status sae_model_decoder_cosines(sae_decoder_cosines *out, double *largest, const sae_model *model,
                                     sae_progress_fn progress, void *user, sae_error *err)
{
    size_t d = model->d, F = model->n_latents, blocks = (F + BLOCK - 1) / BLOCK;
    cosine_job job = {.context = model->context,
                      .model = model,
                      .blocks = blocks,
                      .workers = sae_context_threads(model->context)};
    double *most = NULL;
    sae_status status = saei_alloc(&job.unit, job.context, saei_mul(saei_mul(job.workers, 2 * BLOCK), d),
                                   sizeof *job.unit, err);
    if (status == SAE_OK)
        status = saei_alloc(&job.cosine, job.context, saei_mul(job.workers, BLOCK * BLOCK),
                            sizeof *job.cosine, err);
    if (status == SAE_OK)
        status = saei_alloc(&job.most, job.context, saei_mul(job.workers, F), sizeof *job.most, err);
    if (status == SAE_OK)
        status = saei_alloc(&most, job.context, F, sizeof *most, err);
    if (status == SAE_OK) {
        for (size_t i = 0; i < job.workers * F; i++)
            job.most[i] = -INFINITY;
        status = compare_all(&job, progress, user, err);
    }
    if (status == SAE_OK)
        *out = summarise(&job, most);
    for (size_t j = 0; j < F && largest != NULL && status == SAE_OK; j++)
        largest[j] = largest_of(&job, j);
    saei_free(job.context, most);
    saei_free(job.context, job.most);
    saei_free(job.context, job.cosine);
    saei_free(job.context, job.unit);
    return status;
}
