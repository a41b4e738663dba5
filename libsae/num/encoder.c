#include "num/encoder.h"
#include "base/parallel.h"
#include "num/rows.h"
#include "num/topk.h"

#include <cblas.h>

typedef struct encode_job {
    saei_code_slots out;
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

static void encode_tile(void *arg, size_t task, unsigned worker)
{
    const encode_job *job = arg;
    const saei_encoder *e = job->encoder;
    size_t first_row = task * SAEI_TILE_ROWS, m = min_size(SAEI_TILE_ROWS, job->rows - first_row), k = e->k;
    float *scores = job->scratch + worker * saei_encoder_scratch(e->n_latents);
    saei_code_slots out = job->out;
    for (size_t r = 0; r < m; r++)
        out.count[first_row + r] = 0;
    for (size_t first = 0; first < e->n_latents; first += SAEI_BLOCK_LATENTS) {
        size_t n = min_size(SAEI_BLOCK_LATENTS, e->n_latents - first);
        score_block(scores, e, job->xc + first_row * e->d, m, first, n);
        for (size_t r = 0; r < m; r++) {
            size_t row = first_row + r;
            saei_topk top = {out.value + row * k, out.latent + row * k, k, out.count[row]};
            saei_row_axpy(scores + r * n, 1.0f, e->b_enc + first, n);
            saei_topk_offer(&top, scores + r * n, n, (uint32_t)first);
            out.count[row] = (uint32_t)top.n;
        }
    }
    for (size_t row = first_row; row < first_row + m; row++) {
        saei_topk top = {out.value + row * k, out.latent + row * k, k, out.count[row]};
        saei_topk_sort(&top);
    }
}

void saei_encode(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t rows,
                 float *scratch, const sae_context *context)
{
    encode_job job = {out, encoder, xc, rows, scratch};
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
