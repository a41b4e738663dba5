#include "diff/resample.h"
#include "num/simd.h"

/* Draws that are summed together: their sums stay in registers while the units go by. */
enum { LANES = 32 };

static inline void sum_lanes(double *restrict out, const double *restrict weights, const uint32_t *restrict unit,
                             const double *restrict value, size_t n)
{
    double sum[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        const double *w = weights + (size_t)unit[i] * SAEI_DRAWS;
        double v = value[i];
        for (int b = 0; b < LANES; b++)
            sum[b] += w[b] * v;
    }
    for (int b = 0; b < LANES; b++)
        out[b] = sum[b];
}

SAEI_CLONES void saei_draw_sums(double *out, const double *weights, const uint32_t *unit, const double *value,
                                size_t n)
{
    for (int first = 0; first < SAEI_DRAWS; first += LANES)
        sum_lanes(out + first, weights + first, unit, value, n);
}
