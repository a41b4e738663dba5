#include "train/selection_weights.h"
#include "base/memory.h"
#include "num/rows.h"

#include <math.h>

sae_status saei_selection_weights_new(saei_selection_weights *out, sae_context *context, size_t d,
                                      size_t n_latents, sae_error *err)
{
    saei_selection_weights w = {0};
    sae_status status = saei_alloc(&w.W, context, saei_mul(d, n_latents), sizeof *w.W, err);
    if (status == SAE_OK)
        status = saei_alloc(&w.b, context, n_latents, sizeof *w.b, err);
    if (status == SAE_OK)
        status = saei_alloc(&w.norm, context, n_latents, sizeof *w.norm, err);
    if (status != SAE_OK) {
        saei_selection_weights_free(&w, context);
        return status;
    }
    *out = w;
    return SAE_OK;
}

void saei_selection_weights_free(saei_selection_weights *w, sae_context *context)
{
    saei_free(context, w->W);
    saei_free(context, w->b);
    saei_free(context, w->norm);
    *w = (saei_selection_weights){0};
}

size_t saei_selection_weights_bytes(size_t d, size_t n_latents)
{
    return saei_mul(saei_mul(saei_add(d, 2), n_latents), sizeof(float));
}

void saei_selection_weights_set(const saei_selection_weights *w, const saei_parameters *p, size_t first,
                                size_t end)
{
    size_t d = p->d;
    for (size_t j = first; j < end; j++) {
        double norm = sqrt(saei_row_norm2(p->W_dec + j * d, d));
        w->norm[j] = norm > 0.0 ? (float)norm : 1.0f;
        w->b[j] = w->norm[j] * p->b_enc[j];
        for (size_t i = 0; i < d; i++)
            w->W[j * d + i] = w->norm[j] * p->W_enc[j * d + i];
    }
}
