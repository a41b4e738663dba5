#include "num/encoder.h"
#include "base/parallel.h"
#include "num/rows.h"
#include "num/topk.h"

#include <cblas.h>
#include <math.h>

typedef struct encode_job {
    saei_code_slots out;
    const saei_encoder_subset *subset;
    const saei_encoder *encoder;
    const float *xc;
    size_t rows;
    float *scratch;
} encode_job;

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t saei_encoder_scratch(size_t n_latents)
{
    return SAEI_TILE_ROWS * min_size(n_latents, SAEI_BLOCK_LATENTS);
}

/* scores [m, n] = xc [m, d] · W_enc[:, first .. first + n − 1], without the bias */
static void score_block(float *scores, const saei_encoder *e, const float *xc, size_t m, size_t first,
                        size_t n)
{
    const float *W = e->latent_major ? e->W_enc + first * e->d : e->W_enc + first;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, e->latent_major ? CblasTrans : CblasNoTrans, (blasint)m,
                (blasint)n, (blasint)e->d, 1.0f, xc, (blasint)e->d, W,
                (blasint)(e->latent_major ? e->d : e->n_latents), 0.0f, scores, (blasint)n);
}

/* The selection of one row, as it stands in the slots. */
static saei_topk row_selection(const saei_code_slots *slots, size_t row, size_t k, float floor)
{
    return (saei_topk){slots->value + row * k, slots->latent + row * k, k, slots->count[row], floor};
}

static void offer(const saei_code_slots *slots, size_t row, size_t k, float floor, const float *scores,
                  size_t n, size_t first)
{
    saei_topk top = row_selection(slots, row, k, floor);
    saei_topk_offer(&top, scores, n, (uint32_t)first);
    slots->count[row] = (uint32_t)top.n;
}

/* Offers the scores of the subset's members in this block; they are packed to the front of scores [n]. */
static void offer_subset(const saei_encoder_subset *subset, size_t row, float *scores, size_t first, size_t n,
                         size_t first_member)
{
    size_t packed = 0;
    for (size_t i = first_member; i < subset->n_latents && subset->latents[i] < first + n; i++)
        scores[packed++] = scores[subset->latents[i] - first];
    offer(&subset->out, row, subset->k, -INFINITY, scores, packed, first_member);
}

/* The first member of the subset that is not below `latent`. */
static size_t subset_place(const saei_encoder_subset *subset, size_t latent)
{
    size_t low = 0, high = subset->n_latents;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (subset->latents[middle] < latent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void clear_counts(const saei_code_slots *slots, size_t first_row, size_t m)
{
    for (size_t r = 0; r < m; r++)
        slots->count[first_row + r] = 0;
}

static void sort_rows(const saei_code_slots *slots, size_t first_row, size_t m, size_t k)
{
    for (size_t row = first_row; row < first_row + m; row++) {
        saei_topk top = row_selection(slots, row, k, 0.0f);
        saei_topk_sort(&top);
    }
}

static void encode_tile(void *arg, size_t task, unsigned worker)
{
    const encode_job *job = arg;
    const saei_encoder *e = job->encoder;
    const saei_encoder_subset *subset = job->subset;
    size_t first_row = task * SAEI_TILE_ROWS, m = min_size(SAEI_TILE_ROWS, job->rows - first_row);
    float *scores = job->scratch + worker * saei_encoder_scratch(e->n_latents);
    clear_counts(&job->out, first_row, m);
    if (subset != NULL)
        clear_counts(&subset->out, first_row, m);
    for (size_t first = 0; first < e->n_latents; first += SAEI_BLOCK_LATENTS) {
        size_t n = min_size(SAEI_BLOCK_LATENTS, e->n_latents - first);
        size_t first_member = subset != NULL ? subset_place(subset, first) : 0;
        score_block(scores, e, job->xc + first_row * e->d, m, first, n);
        for (size_t r = 0; r < m; r++) {
            saei_row_axpy(scores + r * n, 1.0f, e->b_enc + first, n);
            offer(&job->out, first_row + r, e->k, 0.0f, scores + r * n, n, first);
            if (subset != NULL)
                offer_subset(subset, first_row + r, scores + r * n, first, n, first_member);
        }
    }
    sort_rows(&job->out, first_row, m, e->k);
    if (subset != NULL)
        sort_rows(&subset->out, first_row, m, subset->k);
}

void saei_encode(saei_code_slots out, const saei_encoder_subset *subset, const saei_encoder *encoder,
                 const float *xc, size_t rows, float *scratch, const sae_context *context)
{
    encode_job job = {out, subset, encoder, xc, rows, scratch};
    /* Our loop brings the threads; a BLAS with its own would only compete, and change the summation order. */
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
    saei_parallel_for(context, (rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS, encode_tile, &job);
}

void saei_decode_row(float *out, const float *W_dec, size_t d, const uint32_t *latent, const float *value,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        saei_row_axpy(out, value[i], W_dec + (size_t)latent[i] * d, d);
}
