#include "num/rows.h"
#include "num/simd.h"

enum { LANES = 16 };

static inline float sum_lanes(const float *lane)
{
    float s[8];
    for (int i = 0; i < 8; i++)
        s[i] = lane[i] + lane[i + 8];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

SAEI_CLONES float saei_row_dot(const float *a, const float *b, size_t d)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + (size_t)l] * b[i + (size_t)l];
    for (int l = 0; i < d; i++, l++)
        lane[l] += a[i] * b[i];
    return sum_lanes(lane);
}

SAEI_CLONES double saei_row_norm2(const float *a, size_t d)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= d; i += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (double)a[i + (size_t)l] * (double)a[i + (size_t)l];
    for (int l = 0; i < d; i++, l++)
        lane[l] += (double)a[i] * (double)a[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

SAEI_CLONES void saei_row_axpy(float *restrict y, float a, const float *restrict x, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] += a * x[i];
}

typedef float vector8 __attribute__((vector_size(32), aligned(4), may_alias));

enum { COMBINE_VECTORS = 8, COMBINE = 8 * COMBINE_VECTORS };

/* The sums of COMBINE neighbouring elements stay in registers over all rows. */
SAEI_CLONES void saei_rows_combine(float *restrict out, const float *restrict base, size_t stride,
                                   const uint32_t *row, const float *weight, size_t n, size_t d)
{
    size_t first = 0;
    for (; first + COMBINE <= d; first += COMBINE) {
        vector8 sum[COMBINE_VECTORS];
        vector8 *to = (vector8 *)(void *)(out + first);
        for (int v = 0; v < COMBINE_VECTORS; v++)
            sum[v] = to[v];
        for (size_t i = 0; i < n; i++) {
            const vector8 *x = (const vector8 *)(const void *)(base + row[i] * stride + first);
            for (int v = 0; v < COMBINE_VECTORS; v++)
                sum[v] += weight[i] * x[v];
        }
        for (int v = 0; v < COMBINE_VECTORS; v++)
            to[v] = sum[v];
    }
    for (size_t i = 0; i < n && first < d; i++)
        for (size_t e = first; e < d; e++)
            out[e] += weight[i] * base[row[i] * stride + e];
}

SAEI_CLONES void saei_row_scale_shift(float *restrict y, float a, const float *restrict x,
                                      const float *restrict c, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = a * x[i] - c[i];
}
