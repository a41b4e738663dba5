#include "num/rows.h"
#include "num/simd.h"

#include <string.h>

enum { LANES = 16, HALF = LANES / 2, COMBINED = 4 };

/* Vectors, for compilers keep an array of lanes for several rows in memory and wait for every store. */
typedef float floats __attribute__((vector_size(4 * HALF)));
typedef float quad __attribute__((vector_size(16)));
typedef floats loaded_floats __attribute__((aligned(4), may_alias));

/* The 16 lanes of a sum. */
typedef struct lanes {
    floats low, high;
} lanes;

static inline void add_products(lanes *sum, const float *a, const float *b)
{
    sum->low += *(const loaded_floats *)a * *(const loaded_floats *)b;
    sum->high += *(const loaded_floats *)(a + HALF) * *(const loaded_floats *)(b + HALF);
}

/* Up to LANES products, filled up with zeros, which change no lane: none is −0. */
static inline void add_last_products(lanes *sum, const float *a, const float *b, size_t n)
{
    float filled_a[LANES] = {0}, filled_b[LANES] = {0};
    memcpy(filled_a, a, n * sizeof *a);
    memcpy(filled_b, b, n * sizeof *b);
    add_products(sum, filled_a, filled_b);
}

/* The first level of the tree that adds the lanes: sums of lanes i, i + 4, i + 8 and i + 12. */
static inline void fold(quad *out, const lanes *sum)
{
    floats s = sum->low + sum->high;
    *out = __builtin_shufflevector(s, s, 0, 1, 2, 3) + __builtin_shufflevector(s, s, 4, 5, 6, 7);
}

SAEI_CLONES float saei_row_dot(const float *a, const float *b, size_t d)
{
    lanes sum = {{0}, {0}};
    quad s;
    size_t i = 0;
    for (; i + LANES <= d; i += LANES)
        add_products(&sum, a + i, b + i);
    if (i < d)
        add_last_products(&sum, a + i, b + i, d - i);
    fold(&s, &sum);
    return (s[0] + s[2]) + (s[1] + s[3]);
}

/* Four sums at a time: each alone would wait for its own additions. */
SAEI_CLONES void saei_rows_dot(float *out, const float *a, const float *base, size_t stride,
                               const uint32_t *row, size_t n, size_t d)
{
    size_t i = 0;
    for (; i + COMBINED <= n; i += COMBINED) {
        lanes sum[COMBINED] = {{{0}, {0}}, {{0}, {0}}, {{0}, {0}}, {{0}, {0}}};
        const float *b0 = base + row[i] * stride, *b1 = base + row[i + 1] * stride;
        const float *b2 = base + row[i + 2] * stride, *b3 = base + row[i + 3] * stride;
        size_t e = 0;
        for (; e + LANES <= d; e += LANES) {
            add_products(&sum[0], a + e, b0 + e);
            add_products(&sum[1], a + e, b1 + e);
            add_products(&sum[2], a + e, b2 + e);
            add_products(&sum[3], a + e, b3 + e);
        }
        if (e < d) {
            add_last_products(&sum[0], a + e, b0 + e, d - e);
            add_last_products(&sum[1], a + e, b1 + e, d - e);
            add_last_products(&sum[2], a + e, b2 + e, d - e);
            add_last_products(&sum[3], a + e, b3 + e, d - e);
        }
        quad s[COMBINED];
        for (size_t c = 0; c < COMBINED; c++)
            fold(&s[c], &sum[c]);
        for (size_t c = 0; c < COMBINED; c++)
            out[i + c] = (s[c][0] + s[c][2]) + (s[c][1] + s[c][3]);
    }
    for (; i < n; i++)
        out[i] = saei_row_dot(a, base + row[i] * stride, d);
}

SAEI_CLONES double saei_row_sum(const float *a, size_t d)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= d; i += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (double)a[i + (size_t)l];
    for (int l = 0; i < d; i++, l++)
        lane[l] += (double)a[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
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

SAEI_CLONES void saei_row_shift_scale(float *y, const float *x, double c, double a, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = (float)(((double)x[i] - c) * a);
}

SAEI_CLONES void saei_row_scale_shift(float *restrict y, float a, const float *restrict x,
                                      const float *restrict c, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = a * x[i] - c[i];
}
