#include "num/screen_row.h"
#include "num/simd.h"
#include "num/topk.h"

#include <math.h>

/* docs/NUMERICS.md has the terms: 16 roundings beside those of the product in its stated order, and a factor
   for what is of second order, the roundings of the bound included. */
void saei_screen_row_start(saei_screen_row *row, float unit, float norm, float error, size_t d,
                           float bias_max)
{
    const double u = 0x1p-24, up = 1.0 + 0x1p-18;
    double roundings = (double)(d / 16 + 1 + 5 + 16), gamma = roundings * u / (1.0 - roundings * u);
    row->unit = unit;
    row->per_norm = (float)(up * ((double)error + gamma * (double)norm));
    row->per_error = (float)(up * ((double)norm + (double)error));
    row->constant = (float)(up * (8.0 * u * (double)bias_max + 0x1p-120));
    row->threshold = -INFINITY;
    row->n = 0;
}

SAEI_CLONES void saei_screen_row_raise(saei_screen_row *row, size_t k, size_t capacity)
{
    size_t above = 0, kept = 0;
    for (size_t i = 0; i < row->n; i++)
        above += row->lower[i] > row->threshold;
    if (above > k)
        row->threshold = saei_topk_cut(row->lower, row->n, k, row->threshold);
    for (size_t i = 0; i < row->n; i++) {
        row->lower[kept] = row->lower[i];
        row->upper[kept] = row->upper[i];
        row->latent[kept] = row->latent[i];
        kept += row->upper[i] >= row->threshold;
    }
    row->n = (uint32_t)kept;
    if (kept + SAEI_ROOM > capacity) {
        row->threshold = NAN;
        row->n = 0;
    }
}
