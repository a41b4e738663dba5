#include "num/encoder.h"
#include "base/memory.h"
#include "num/blas.h"
#include "num/rows.h"
#include "num/screen.h"
#include "num/topk.h"

#include <math.h>
#include <stdbool.h>

sae_status saei_code_slots_new(saei_code_slots *out, sae_context *context, size_t rows, size_t k,
                               sae_error *err)
{
    saei_code_slots slots = {0};
    sae_status status = saei_alloc(&slots.latent, context, saei_mul(rows, k), sizeof *slots.latent, err);
    if (status == SAE_OK)
        status = saei_alloc(&slots.value, context, saei_mul(rows, k), sizeof *slots.value, err);
    if (status == SAE_OK)
        status = saei_alloc(&slots.count, context, rows, sizeof *slots.count, err);
    if (status != SAE_OK) {
        saei_code_slots_free(&slots, context);
        return status;
    }
    *out = slots;
    return SAE_OK;
}

void saei_code_slots_free(saei_code_slots *slots, sae_context *context)
{
    saei_free(context, slots->latent);
    saei_free(context, slots->value);
    saei_free(context, slots->count);
    *slots = (saei_code_slots){0};
}

size_t saei_encoder_scratch(size_t d, size_t n_latents, size_t k, bool screened)
{
    return screened ? saei_screen_scratch(d, k)
                    : SAEI_TILE_ROWS * saei_min_size(n_latents, SAEI_BLOCK_LATENTS);
}

/* scores [m, n] = xc [m, d] · W_enc[first .. first + n − 1, :]ᵀ, without the bias */
static void score_block(float *scores, const saei_encoder *e, const float *xc, size_t m, size_t first,
                        size_t n)
{
    saei_blas_gemm(scores, xc, e->W_enc + first * e->d, e->d, true, m, n, e->d);
}

static void offer(const saei_code_slots *slots, size_t row, size_t k, float floor, const float *scores,
                  size_t n, size_t first)
{
    saei_topk top = {slots->value + row * k, slots->latent + row * k, k, slots->count[row], floor};
    saei_topk_offer(&top, scores, n, (uint32_t)first);
    slots->count[row] = (uint32_t)top.n;
}

/* What is not above its floor can never be taken. */
static void apply_floor(float *scores, const float *floor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scores[i] = scores[i] > floor[i] ? scores[i] : -INFINITY;
}

static void clear_counts(const saei_code_slots *slots, size_t first_row, size_t m)
{
    for (size_t r = 0; r < m; r++)
        slots->count[first_row + r] = 0;
}

/* All scores by BLAS, block by block. */
static void encode_densely(saei_code_slots out, const saei_encoder *e, const float *xc, size_t first,
                           size_t rows, float *scratch)
{
    clear_counts(&out, first, rows);
    for (size_t latent = 0; latent < e->n_latents; latent += SAEI_BLOCK_LATENTS) {
        size_t n = saei_min_size(SAEI_BLOCK_LATENTS, e->n_latents - latent);
        score_block(scratch, e, xc + first * e->d, rows, latent, n);
        for (size_t r = 0; r < rows; r++) {
            float *scores = scratch + r * n;
            saei_row_axpy(scores, 1.0f, e->b_enc + latent, n);
            if (e->floor == NULL) {
                offer(&out, first + r, e->k, 0.0f, scores, n, latent);
            } else {
                apply_floor(scores, e->floor + latent, n);
                offer(&out, first + r, e->k, -INFINITY, scores, n, latent);
            }
        }
    }
}

void saei_encode_tile(saei_code_slots out, const saei_encoder *e, const float *xc, size_t first, size_t rows,
                      float *scratch)
{
    saei_screen_counts unread = {0};
    size_t listed[SAEI_TILE_ROWS];
    if (e->panels == NULL) {
        encode_densely(out, e, xc, first, rows, scratch);
        return;
    }
    for (size_t r = 0; r < rows; r++)
        listed[r] = first + r;
    saei_screen_rows(out, e, xc, (saei_row_list){listed, rows, 0.0f}, NULL, scratch, &unread);
}

void saei_decode_row(float *out, const float *W_dec, size_t d, const uint32_t *latent, const float *value,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        saei_row_axpy(out, value[i], W_dec + (size_t)latent[i] * d, d);
}
