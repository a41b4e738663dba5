#include "num/rows.h"
#include "base/memory.h"
#include "num/simd.h"

#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

enum { LANES = 16, HALF = LANES / 2, COMBINED = 4, AFTER = 2, SQUARES = SAEI_SQUARES };

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

/* Row i of those named and those after them; where there are fewer, the last named one. */
static inline const float *row_at(const saei_named_rows *rows, size_t i)
{
    uint32_t row = i < rows->n                  ? rows->row[i]
                   : i - rows->n < rows->n_next ? rows->next[i - rows->n]
                                                : rows->row[rows->n - 1];
    return rows->base + row * rows->stride;
}

static inline void rows_from(const float *out[COMBINED], const saei_named_rows *rows, size_t i)
{
    for (size_t c = 0; c < COMBINED; c++)
        out[c] = row_at(rows, i + c);
}

/* Rows are in any order, so that the processor cannot foresee the next ones: a line of each is asked for with
   a line of these. */
static inline void fetch(const float *const *next, size_t n, size_t e)
{
    for (size_t c = 0; c < n; c++)
        __builtin_prefetch(next[c] + e);
}

/* Some of the rows elsewhere with each group; where there is none, a row that comes anyway. */
static inline void rows_after(const float *out[AFTER], const saei_named_rows *rows, size_t group,
                              const float *otherwise)
{
    for (size_t c = 0, i = group * AFTER; c < AFTER; c++, i++)
        out[c] = i < SAEI_ROWS_AFTER && rows->after[i] != NULL ? rows->after[i] : otherwise;
}

/* `width` sums at a time, a constant: each alone would wait for its own additions. */
static inline void dot_group(float *out, const float *a, const float *const b[COMBINED],
                             const float *const next[COMBINED], size_t d, size_t width)
{
    lanes sum[COMBINED] = {{{0}, {0}}, {{0}, {0}}, {{0}, {0}}, {{0}, {0}}};
    quad s;
    size_t e = 0;
    for (; e + LANES <= d; e += LANES) {
        fetch(next, COMBINED, e);
#pragma GCC unroll 4
        for (size_t c = 0; c < width; c++)
            add_products(&sum[c], a + e, b[c] + e);
    }
#pragma GCC unroll 4
    for (size_t c = 0; c < width; c++) {
        if (e < d)
            add_last_products(&sum[c], a + e, b[c] + e, d - e);
        fold(&s, &sum[c]);
        out[c] = (s[0] + s[2]) + (s[1] + s[3]);
    }
}

SAEI_CLONES void saei_rows_dot(float *out, const float *a, const saei_named_rows *rows, size_t d)
{
    const float *b[COMBINED], *next[COMBINED];
    for (size_t i = 0; i < rows->n; i += COMBINED) {
        rows_from(b, rows, i);
        rows_from(next, rows, i + COMBINED);
        switch (rows->n - i) {
        case 1:
            dot_group(out + i, a, b, next, d, 1);
            break;
        case 2:
            dot_group(out + i, a, b, next, d, 2);
            break;
        case 3:
            dot_group(out + i, a, b, next, d, 3);
            break;
        default:
            dot_group(out + i, a, b, next, d, COMBINED);
        }
    }
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

static void fold_squares(double out[SAEI_SQUARES_FOLDED], const float *a, size_t n, const float *rest)
{
    double lane[SQUARES];
    for (size_t l = 0; l < SQUARES; l++) {
        lane[l] = 0.0;
        for (size_t i = l; i < n; i += SQUARES)
            lane[l] += (double)a[i] * (double)a[i];
        lane[l] += (double)rest[l] * (double)rest[l];
    }
    for (size_t l = 0; l < SAEI_SQUARES_FOLDED; l++)
        out[l] = (lane[l] + lane[l + 16]) + (lane[l + 8] + lane[l + 24]);
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same in vectors, to the bit: the square of a float is exact in double, fused or not. With fewer lanes
   each sum would wait for itself. */
__attribute__((target("avx2,fma"))) static inline void add_squares_256(__m256d sum[8], const float *a)
{
#pragma GCC unroll 8
    for (size_t v = 0; v < 8; v++) {
        __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(a + 4 * v));
        sum[v] = _mm256_fmadd_pd(x, x, sum[v]);
    }
}

__attribute__((target("avx2,fma"))) static void fold_squares_256(double out[SAEI_SQUARES_FOLDED],
                                                                 const float *a, size_t n, const float *rest)
{
    __m256d sum[8];
#pragma GCC unroll 8
    for (size_t v = 0; v < 8; v++)
        sum[v] = _mm256_setzero_pd();
    for (size_t i = 0; i < n; i += SQUARES)
        add_squares_256(sum, a + i);
    add_squares_256(sum, rest);
#pragma GCC unroll 2
    for (size_t v = 0; v < 2; v++)
        _mm256_storeu_pd(out + 4 * v, (sum[v] + sum[v + 4]) + (sum[v + 2] + sum[v + 6]));
}

__attribute__((target("avx512f"))) static inline void add_squares_512(__m512d sum[4], const float *a)
{
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++) {
        __m512d x = _mm512_cvtps_pd(_mm256_loadu_ps(a + 8 * v));
        sum[v] = _mm512_fmadd_pd(x, x, sum[v]);
    }
}

__attribute__((target("avx512f"))) static void fold_squares_512(double out[SAEI_SQUARES_FOLDED],
                                                                const float *a, size_t n, const float *rest)
{
    __m512d sum[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < 4; v++)
        sum[v] = _mm512_setzero_pd();
    for (size_t i = 0; i < n; i += SQUARES)
        add_squares_512(sum, a + i);
    add_squares_512(sum, rest);
    _mm512_storeu_pd(out, (sum[0] + sum[2]) + (sum[1] + sum[3]));
}
#endif

saei_fold_squares_fn saei_fold_squares_at(size_t i)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f") && i-- == 0)
        return fold_squares_512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && i-- == 0)
        return fold_squares_256;
#endif
    return i == 0 ? fold_squares : NULL;
}

double saei_row_norm2_by(saei_fold_squares_fn squares, const float *a, size_t d)
{
    double lane[SAEI_SQUARES_FOLDED];
    float rest[SQUARES] = {0};
    size_t whole = d / SQUARES * SQUARES;
    for (size_t i = whole; i < d; i++)
        rest[i - whole] = a[i];
    squares(lane, a, whole, rest);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

double saei_row_norm2(const float *a, size_t d)
{
    return saei_row_norm2_by(saei_fold_squares_at(0), a, d);
}

SAEI_CLONES void saei_row_axpy(float *restrict y, float a, const float *restrict x, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] += a * x[i];
}

/* `width` rows at a time, a constant: out is read and written once for all, and each row is read from end to
   end. */
static inline void combine_group(float *restrict out, const float *const x[COMBINED],
                                 const float *const next[COMBINED + AFTER], const float *weight, size_t d,
                                 size_t width)
{
    float w[COMBINED];
    size_t e = 0;
    memcpy(w, weight, width * sizeof *w);
    for (; e + LANES <= d; e += LANES) {
        fetch(next, COMBINED + AFTER, e);
        loaded_floats *low = (loaded_floats *)(out + e), *high = (loaded_floats *)(out + e + HALF);
        lanes sum = {*low, *high};
#pragma GCC unroll 4
        for (size_t c = 0; c < width; c++) {
            sum.low += w[c] * *(const loaded_floats *)(x[c] + e);
            sum.high += w[c] * *(const loaded_floats *)(x[c] + e + HALF);
        }
        *low = sum.low;
        *high = sum.high;
    }
    for (; e < d; e++)
        for (size_t c = 0; c < width; c++)
            out[e] += weight[c] * x[c][e];
}

SAEI_CLONES void saei_rows_combine(float *out, const saei_named_rows *rows, const float *weight, size_t d)
{
    const float *x[COMBINED], *next[COMBINED + AFTER];
    for (size_t i = 0; i < rows->n; i += COMBINED) {
        rows_from(x, rows, i);
        rows_from(next, rows, i + COMBINED);
        rows_after(next + COMBINED, rows, i / COMBINED, next[0]);
        switch (rows->n - i) {
        case 1:
            combine_group(out, x, next, weight + i, d, 1);
            break;
        case 2:
            combine_group(out, x, next, weight + i, d, 2);
            break;
        case 3:
            combine_group(out, x, next, weight + i, d, 3);
            break;
        default:
            combine_group(out, x, next, weight + i, d, COMBINED);
        }
    }
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
