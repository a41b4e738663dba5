#include "num/rows.h"
#include "num/simd.h"

enum { LANES = 16, COMBINED = 4 };

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

/* Four sums at a time: each alone would wait for its own additions. */
SAEI_CLONES void saei_rows_dot(float *out, const float *a, const float *base, size_t stride,
                               const uint32_t *row, size_t n, size_t d)
{
    size_t i = 0;
    for (; i + COMBINED <= n; i += COMBINED) {
        float lane[COMBINED][LANES] = {{0}};
        const float *b[COMBINED];
        size_t e = 0;
        for (size_t c = 0; c < COMBINED; c++)
            b[c] = base + row[i + c] * stride;
        for (; e + LANES <= d; e += LANES)
            for (size_t c = 0; c < COMBINED; c++)
                for (size_t l = 0; l < LANES; l++)
                    lane[c][l] += a[e + l] * b[c][e + l];
        for (size_t c = 0; c < COMBINED; c++) {
            for (size_t l = 0; e + l < d; l++)
                lane[c][l] += a[e + l] * b[c][e + l];
            out[i + c] = sum_lanes(lane[c]);
        }
    }
    for (; i < n; i++)
        out[i] = saei_row_dot(a, base + row[i] * stride, d);
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

/* Four rows at a time: out is read and written once for all, and each row is read from end to end. */
SAEI_CLONES void saei_rows_combine(float *restrict out, const float *restrict base, size_t stride,
                                   const uint32_t *row, const float *weight, size_t n, size_t d)
{
    size_t i = 0;
    for (; i + COMBINED <= n; i += COMBINED) {
        const float *x0 = base + row[i] * stride, *x1 = base + row[i + 1] * stride;
        const float *x2 = base + row[i + 2] * stride, *x3 = base + row[i + 3] * stride;
        float w0 = weight[i], w1 = weight[i + 1], w2 = weight[i + 2], w3 = weight[i + 3];
        for (size_t e = 0; e < d; e++)
            out[e] = (((out[e] + w0 * x0[e]) + w1 * x1[e]) + w2 * x2[e]) + w3 * x3[e];
    }
    for (; i < n; i++)
        saei_row_axpy(out, weight[i], base + row[i] * stride, d);
}

SAEI_CLONES void saei_row_scale_shift(float *restrict y, float a, const float *restrict x,
                                      const float *restrict c, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = a * x[i] - c[i];
}
