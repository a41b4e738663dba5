#include "diff/attribution.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/paired_rows.h"
#include "dump/same_rows.h"
#include "model/model.h"
#include "num/blas.h"

#include <string.h>

/* Rows of C that a task sums, and latents of which a task makes the score. */
enum { TILE = 64 };

struct saei_attribution {
    sae_context *context;
    const saei_groups *groups;
    const double *row_weight;
    double *scale; /* [groups] 1 / (n · Σ of the weights of the group's rows) */
    saei_paired_rows gradients;
    size_t d;
    float *shift;  /* s [d]: the first row. Products with a − s do not cancel when rows have a large mean */
    double *cross; /* [d, d] Σ w g (a − s)ᵀ, w = weight of the row · scale of its group */
    double *gradient; /* [d] Σ w g */
    double *residual; /* [d] Σ w (a − s) */
    float *centred;   /* [capacity, d] a − s */
    size_t capacity;
    float *scratch; /* [threads, TILE, SAEI_CHUNK_ROWS + d] */
};

static size_t scratch_floats(size_t d)
{
    return saei_mul(TILE, saei_add(SAEI_CHUNK_ROWS, d));
}

static sae_status alloc_sums(saei_attribution *a, sae_error *err)
{
    size_t d = a->d, threads = sae_context_threads(a->context);
    sae_status status = saei_alloc(&a->scale, a->context, a->groups->n, sizeof *a->scale, err);
    if (status == SAE_OK)
        status = saei_alloc(&a->shift, a->context, d, sizeof *a->shift, err);
    if (status == SAE_OK)
        status = saei_alloc(&a->cross, a->context, saei_mul(d, d), sizeof *a->cross, err);
    if (status == SAE_OK)
        status = saei_alloc(&a->gradient, a->context, d, sizeof *a->gradient, err);
    if (status == SAE_OK)
        status = saei_alloc(&a->residual, a->context, d, sizeof *a->residual, err);
    if (status == SAE_OK)
        status = saei_alloc(&a->scratch, a->context, saei_mul(threads, scratch_floats(d)), sizeof *a->scratch,
                            err);
    return status;
}

sae_status saei_attribution_new(saei_attribution **out, const sae_dump *activations,
                                const sae_dump *gradients, const char *group, const saei_groups *groups,
                                const double *row_weight, sae_context *context, sae_error *err)
{
    *out = NULL;
    saei_attribution *a;
    sae_status status = saei_dump_same_rows(activations, gradients, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&a, context, 1, sizeof *a, err);
    if (status != SAE_OK)
        return status;
    *a = (saei_attribution){.context = context,
                            .groups = groups,
                            .row_weight = row_weight,
                            .gradients = {.context = context, .dump = gradients},
                            .d = sae_dump_dim(activations)};
    status = alloc_sums(a, err);
    if (status != SAE_OK) {
        saei_attribution_free(a);
        return status;
    }
    saei_groups_weigh(a->scale, groups, row_weight);
    for (size_t g = 0; g < groups->n; g++)
        a->scale[g] = 1 / ((double)groups->n * a->scale[g]);
    *out = a;
    return SAE_OK;
}

void saei_attribution_free(saei_attribution *a)
{
    if (a == NULL)
        return;
    saei_free(a->context, a->scratch);
    saei_free(a->context, a->centred);
    saei_free(a->context, a->residual);
    saei_free(a->context, a->gradient);
    saei_free(a->context, a->cross);
    saei_free(a->context, a->shift);
    saei_free(a->context, a->scale);
    saei_paired_rows_release(&a->gradients);
    saei_free(a->context, a);
}

static double weight_of(const saei_attribution *a, uint64_t row)
{
    return (a->row_weight != NULL ? a->row_weight[row] : 1) * a->scale[a->groups->of_row[row]];
}

static sae_status centre(saei_attribution *a, const saei_block *block, sae_error *err)
{
    size_t d = a->d;
    if (block->x.rows > a->capacity) {
        saei_free(a->context, a->centred);
        a->capacity = 0;
        sae_status status =
            saei_alloc(&a->centred, a->context, saei_mul(block->x.rows, d), sizeof(float), err);
        if (status != SAE_OK)
            return status;
        a->capacity = block->x.rows;
    }
    if (block->first == 0)
        memcpy(a->shift, block->x.data, d * sizeof *a->shift);
    for (size_t r = 0; r < block->x.rows; r++) {
        const float *x = block->x.data + r * block->x.stride, *g = a->gradients.rows + r * d;
        double weight = weight_of(a, block->first + r);
        for (size_t i = 0; i < d; i++) {
            a->centred[r * d + i] = x[i] - a->shift[i];
            a->residual[i] += weight * (double)a->centred[r * d + i];
            a->gradient[i] += weight * (double)g[i];
        }
    }
    return SAE_OK;
}

typedef struct sum_job {
    saei_attribution *a;
    const saei_block *block;
} sum_job;

/* Rows first .. first + TILE − 1 of C: chunk by chunk of the block, whatever the thread. */
static void sum_tile(void *arg, size_t tile, unsigned worker)
{
    const sum_job *job = arg;
    saei_attribution *a = job->a;
    size_t d = a->d, rows = job->block->x.rows, first = tile * TILE, n = saei_min_size(TILE, d - first);
    float *weighted = a->scratch + worker * scratch_floats(d); /* [n, chunk] w g, turned */
    float *product = weighted + TILE * SAEI_CHUNK_ROWS;        /* [n, d] */
    for (size_t r0 = 0; r0 < rows; r0 += SAEI_CHUNK_ROWS) {
        size_t chunk = saei_min_size(SAEI_CHUNK_ROWS, rows - r0);
        for (size_t r = 0; r < chunk; r++) {
            double weight = weight_of(a, job->block->first + r0 + r);
            const float *g = a->gradients.rows + (r0 + r) * d + first;
            for (size_t i = 0; i < n; i++)
                weighted[i * chunk + r] = (float)(weight * (double)g[i]);
        }
        saei_blas_gemm(product, weighted, a->centred + r0 * d, d, 0, n, d, chunk);
        for (size_t i = 0; i < n * d; i++)
            a->cross[first * d + i] += (double)product[i];
    }
}

sae_status saei_attribution_observe(void *user, const saei_block *block, sae_error *err)
{
    saei_attribution *a = user;
    sae_status status = saei_paired_rows_read(&a->gradients, block, err);
    if (status == SAE_OK)
        status = centre(a, block, err);
    if (status != SAE_OK)
        return status;
    saei_blas_begin();
    saei_parallel_for(a->context, (a->d + TILE - 1) / TILE, sum_tile, &(sum_job){a, block});
    return SAE_OK;
}

/* out [d, d] += sign · C of a, given ā: C = Σ w g (a − s)ᵀ − (Σ w g)(ā − s)ᵀ, for Σ w = 1. */
static void add_centred(double *out, const saei_attribution *a, double sign, const double *mean)
{
    size_t d = a->d;
    for (size_t i = 0; i < d; i++)
        for (size_t k = 0; k < d; k++)
            out[i * d + k] += sign * (a->cross[i * d + k] - a->gradient[i] * (mean[k] - (double)a->shift[k]));
}

static void mean_residual(double *mean, const saei_attribution *bad, const saei_attribution *good)
{
    for (size_t i = 0; i < bad->d; i++) {
        mean[i] = bad->residual[i] + (double)bad->shift[i];
        if (good != NULL)
            mean[i] = (mean[i] + good->residual[i] + (double)good->shift[i]) / 2;
    }
}

typedef struct score_job {
    double *out;
    const float *W_dec; /* [F, d] */
    const float *cross; /* [d, d] C */
    float *scratch;     /* [threads, TILE, d] */
    size_t d, n_latents;
} score_job;

static void score_tile(void *arg, size_t tile, unsigned worker)
{
    const score_job *job = arg;
    size_t d = job->d, first = tile * TILE, n = saei_min_size(TILE, job->n_latents - first);
    const float *directions = job->W_dec + first * d;
    float *product = job->scratch + worker * TILE * d; /* [n, d] d_jᵀ C */
    saei_blas_gemm(product, directions, job->cross, d, 0, n, d, d);
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t i = 0; i < d; i++)
            sum += (double)product[j * d + i] * (double)directions[j * d + i];
        job->out[first + j] = sum == 0 ? 0 : -sum;
    }
}

static sae_status score_latents(double *out, const double *cross, const sae_model *model, sae_error *err)
{
    size_t d = model->d, threads = sae_context_threads(model->context);
    float *single = NULL, *scratch = NULL;
    sae_status status = saei_alloc(&single, model->context, saei_mul(d, d), sizeof *single, err);
    if (status == SAE_OK)
        status =
            saei_alloc(&scratch, model->context, saei_mul(saei_mul(threads, TILE), d), sizeof *scratch, err);
    for (size_t i = 0; status == SAE_OK && i < d * d; i++)
        single[i] = (float)cross[i];
    score_job job = {out, model->W_dec, single, scratch, d, model->n_latents};
    if (status == SAE_OK) {
        saei_blas_begin();
        saei_parallel_for(model->context, (model->n_latents + TILE - 1) / TILE, score_tile, &job);
    }
    saei_free(model->context, scratch);
    saei_free(model->context, single);
    return status;
}

static bool same_prompts(const saei_groups *a, const saei_groups *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n * sizeof *a->id) == 0;
}

sae_status saei_attribution_scores(double *out, const saei_attribution *bad, const saei_attribution *good,
                                   const sae_model *model, sae_error *err)
{
    if (good != NULL && !same_prompts(bad->groups, good->groups))
        return saei_fail(
            err, SAE_E_MISMATCH,
            "%s and %s: the attribution of bad minus good completions needs both of each prompt, "
            "but their prompts differ",
            sae_dump_name(bad->gradients.dump), sae_dump_name(good->gradients.dump));
    size_t d = model->d;
    double *mean = NULL, *cross = NULL;
    sae_status status = saei_alloc(&mean, model->context, d, sizeof *mean, err);
    if (status == SAE_OK)
        status = saei_alloc(&cross, model->context, saei_mul(d, d), sizeof *cross, err);
    if (status == SAE_OK) {
        mean_residual(mean, bad, good);
        add_centred(cross, bad, 1, mean);
        if (good != NULL)
            add_centred(cross, good, -1, mean);
        status = score_latents(out, cross, model, err);
    }
    saei_free(model->context, cross);
    saei_free(model->context, mean);
    return status;
}
