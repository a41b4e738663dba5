#include "num/rows.h"
#include "num/screen.h"
#include "num/topk.h"

#include <math.h>

enum { BLOCK = 512 };

void saei_encode_row_exact(saei_code_slots out, const saei_encoder *e, const float *xc, size_t row)
{
    const float *x = xc + row * e->d;
    float scores[BLOCK];
    saei_topk top = {out.value + row * e->k, out.latent + row * e->k, e->k, 0, -INFINITY};
    for (size_t first = 0; first < e->n_latents; first += BLOCK) {
        size_t n = e->n_latents - first < BLOCK ? e->n_latents - first : BLOCK;
        for (size_t i = 0; i < n; i++) {
            size_t j = first + i;
            scores[i] = saei_kept_pre(e, j, saei_row_dot(x, e->W_enc + j * e->d, e->d));
        }
        saei_topk_offer(&top, scores, n, (uint32_t)first);
    }
    out.count[row] = (uint32_t)top.n;
}
