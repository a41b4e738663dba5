#include "apply/variants.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>
#include <string.h>

/* Sums over rows, e = x − x̂. All doubles, so that two of them are added as arrays. */
typedef struct row_sums {
    double error;          /* Σ‖e‖² */
    double centred;        /* Σ‖x − mean‖² */
    double shifted;        /* Σ‖e − s‖² */
    double explained;      /* Σ (1 − ‖e‖² / ‖x − mean‖²) */
    double explained_rows; /* rows in it */
    double relative;       /* Σ ‖e‖² / ‖x‖² */
    double length_ratio;   /* Σ ‖x̂‖ / ‖x‖ */
    double nonzero_rows;   /* rows in the two above */
    double xhat2;          /* Σ ‖x̂‖² */
    double product;        /* Σ x · x̂ */
    double l1;             /* Σ Σ_j |f_j| */
} row_sums;

enum { SUMS = sizeof(row_sums) / sizeof(double) };

struct saei_variants {
    sae_context *context;
    size_t d;
    uint64_t rows;
    const double *mean;
    row_sums sums;
    double *shift; /* s [d]: e of the first row. Variances of e − s do not cancel when e has a large mean */
    double *residual; /* Σ (e − s) [d] */
    row_sums chunk[SAEI_BLOCK_CHUNKS];
    double *chunk_residual; /* [SAEI_BLOCK_CHUNKS, d] */
};

sae_status saei_variants_new(saei_variants **out, sae_context *context, size_t d, const double *mean,
                             sae_error *err)
{
    *out = NULL;
    saei_variants *v;
    sae_status status = saei_alloc(&v, context, 1, sizeof *v, err);
    if (status != SAE_OK)
        return status;
    *v = (saei_variants){.context = context, .d = d, .mean = mean};
    status = saei_alloc(&v->shift, context, d, sizeof *v->shift, err);
    if (status == SAE_OK)
        status = saei_alloc(&v->residual, context, d, sizeof *v->residual, err);
    if (status == SAE_OK)
        status = saei_alloc(&v->chunk_residual, context, saei_mul(SAEI_BLOCK_CHUNKS, d),
                            sizeof *v->chunk_residual, err);
    if (status != SAE_OK) {
        saei_variants_free(v);
        return status;
    }
    *out = v;
    return SAE_OK;
}

void saei_variants_free(saei_variants *v)
{
    if (v == NULL)
        return;
    saei_free(v->context, v->chunk_residual);
    saei_free(v->context, v->residual);
    saei_free(v->context, v->shift);
    saei_free(v->context, v);
}

static void add_row(row_sums *sums, double *residual, const saei_variants *v, const float *x,
                    const float *xhat)
{
    double error = 0, centred = 0, shifted = 0, xx = 0, hh = 0, xh = 0;
    for (size_t i = 0; i < v->d; i++) {
        double a = (double)x[i], b = (double)xhat[i], e = a - b;
        double off = a - v->mean[i], turned = e - v->shift[i];
        error += e * e;
        centred += off * off;
        shifted += turned * turned;
        residual[i] += turned;
        xx += a * a;
        hh += b * b;
        xh += a * b;
    }
    sums->error += error;
    sums->centred += centred;
    sums->shifted += shifted;
    sums->xhat2 += hh;
    sums->product += xh;
    if (centred > 0) {
        sums->explained += 1 - error / centred;
        sums->explained_rows++;
    }
    if (xx > 0) {
        sums->relative += error / xx;
        sums->length_ratio += sqrt(hh / xx);
        sums->nonzero_rows++;
    }
}

typedef struct chunk_task {
    saei_variants *variants;
    const saei_block *block;
} chunk_task;

static void sum_chunk(void *arg, size_t chunk, unsigned worker)
{
    (void)worker;
    const chunk_task *task = arg;
    saei_variants *v = task->variants;
    const saei_block *block = task->block;
    size_t d = v->d, first = chunk * SAEI_CHUNK_ROWS, end = first + SAEI_CHUNK_ROWS;
    end = end < block->x.rows ? end : block->x.rows;
    double *residual = v->chunk_residual + chunk * d;
    row_sums *sums = &v->chunk[chunk];
    memset(residual, 0, d * sizeof *residual);
    *sums = (row_sums){0};
    for (size_t r = first; r < end; r++)
        add_row(sums, residual, v, block->x.data + r * block->x.stride, block->xhat + r * d);
    /* Codes are above 0: |f| = f. */
    for (uint64_t i = block->codes.row_ptr[first]; i < block->codes.row_ptr[end]; i++)
        sums->l1 += (double)block->codes.value[i];
}

static void add_doubles(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

void saei_variants_add(saei_variants *v, const saei_block *block)
{
    if (v->rows == 0)
        for (size_t i = 0; i < v->d; i++)
            v->shift[i] = (double)block->x.data[i] - (double)block->xhat[i];
    size_t chunks = (block->x.rows + SAEI_CHUNK_ROWS - 1) / SAEI_CHUNK_ROWS;
    saei_parallel_for(v->context, chunks, sum_chunk, &(chunk_task){v, block});
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        add_doubles((double *)&v->sums, (const double *)&v->chunk[chunk], SUMS);
        add_doubles(v->residual, v->chunk_residual + chunk * v->d, v->d);
    }
    v->rows += block->x.rows;
}

sae_fidelity_variants saei_variants_get(const saei_variants *v)
{
    const row_sums *s = &v->sums;
    double n = (double)v->rows, residual_variance = s->shifted;
    for (size_t i = 0; i < v->d; i++)
        residual_variance -= v->residual[i] * v->residual[i] / n;
    double total = s->centred > 0 ? s->centred : (double)NAN;
    return (sae_fidelity_variants){.explained_variance = 1 - s->error / total,
                                   .saelens_legacy = s->explained / s->explained_rows,
                                   .dictionary_learning = 1 - residual_variance / total,
                                   .sparsify_fvu = s->error / total,
                                   .openai_nmse = s->relative / s->nonzero_rows,
                                   .l1 = s->l1 / n,
                                   .l2_ratio = s->length_ratio / s->nonzero_rows,
                                   .relative_reconstruction_bias = s->xhat2 / s->product};
}
