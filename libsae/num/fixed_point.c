#include "num/fixed_point.h"
#include "num/rows.h"
#include "num/simd.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LANES = 16, WIDTH_MAX = 16, CHUNK = 256, SQUARE = 8 };

/* ‖q‖ ≤ 46340 makes |Σ_S q_i q'_i| ≤ ‖q_S‖ ‖q'_S‖ ≤ 46340² < 2^31 for every set S of dimensions. */
static const double INTEGER_NORM = 46340.0, INTEGER_MAX = 32766.0;

/* A vector with a smaller norm is taken for 0: products of units stay far from underflow. */
static const double NORM_MIN = 0x1p-40;

/* Adding it to |x| < 2^22 rounds x to the nearest integer, which is then in the low bits. */
static const float ROUNDER = 0x1.8p23f;

typedef struct vector_size {
    float square; /* Σ v_i² in float: NaN, overflow and underflow are for the caller to see */
    float largest;
} vector_size;

typedef float floats __attribute__((vector_size(4 * LANES / 2)));
typedef int32_t integers __attribute__((vector_size(4 * LANES / 2)));

typedef struct vector_lanes {
    floats square;
    integers largest; /* magnitudes, which have the order of their bits */
} vector_lanes;

static inline void measure_lanes(vector_lanes *lanes, const float *v)
{
    floats x;
    integers bits;
    memcpy(&x, v, sizeof x);
    memcpy(&bits, v, sizeof bits);
    bits &= INT32_MAX;
    integers larger = bits > lanes->largest;
    lanes->square += x * x;
    lanes->largest = (bits & larger) | (lanes->largest & ~larger);
}

static SAEI_CLONES vector_size measure(const float *v, size_t d)
{
    enum { HALF = LANES / 2 };
    vector_lanes lanes[2] = {{{0}, {0}}, {{0}, {0}}};
    float rest[LANES] = {0};
    vector_size size = {0.0f, 0.0f};
    size_t i = 0;
    for (; i + LANES <= d; i += LANES) {
        measure_lanes(&lanes[0], v + i);
        measure_lanes(&lanes[1], v + i + HALF);
    }
    memcpy(rest, v + i, (d - i) * sizeof *rest);
    for (size_t l = 0; l < 2; l++) {
        measure_lanes(&lanes[l], rest + l * HALF);
        floats largest = (floats)lanes[l].largest;
        for (size_t j = 0; j < HALF; j++) {
            size.square += lanes[l].square[j];
            size.largest = largest[j] > size.largest ? largest[j] : size.largest;
        }
    }
    return size;
}

/* Rounded up by more than the error of a sum of squares in float and that of the conversion. */
static float norm_of(vector_size size, const float *v, size_t d)
{
    double largest_square = (double)SAEI_FIXED_NORM_MAX * (double)SAEI_FIXED_NORM_MAX;
    double error = ((double)(d / LANES) + 2.0 * LANES + 4.0) * 0x1p-24;
    if (size.square >= (float)(NORM_MIN * NORM_MIN) && size.square <= (float)largest_square)
        return (float)(sqrt((double)size.square) * (1.0 + error));
    double norm = sqrt(saei_row_norm2(v, d));
    return norm <= 0.5 * (double)FLT_MAX ? (float)(norm * (1.0 + 0x1p-20)) : INFINITY;
}

/* ‖q‖ ≤ scale ‖v‖ + ½√d + 46340 · 2^-23: the roundings to integers, that of the scale and those of the
   products; the subtracted 1 is more than the last. 32766 leaves the same room for a single |q_i|. */
static float scale_for(double norm, double largest, size_t d)
{
    if (!(norm >= NORM_MIN && norm <= (double)SAEI_FIXED_NORM_MAX))
        return 0.0f;
    return (float)fmin((INTEGER_NORM - 1.0 - 0.5 * sqrt((double)d)) / norm, INTEGER_MAX / largest);
}

/* q = round(scale · v); returns Σ (scale v − q)², from at most 20 float additions in a row. */
static inline float quantise(int16_t q[CHUNK], const float v[CHUNK], float scale)
{
    float lane[LANES] = {0};
    for (size_t i = 0; i < CHUNK; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float scaled = v[i + l] * scale, shifted = scaled + ROUNDER;
            int32_t bits;
            memcpy(&bits, &shifted, sizeof bits);
            q[i + l] = (int16_t)(bits & 0xffff);
            float rest = scaled - (shifted - ROUNDER);
            lane[l] += rest * rest;
        }
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* A pair of 16-bit numbers moves as one unit. */
typedef int32_t pair_vector __attribute__((vector_size(4 * SQUARE), aligned(4), may_alias));

/* out[i][j] = in[j][i] for 8 × 8 pairs; strides in pairs. Each stage exchanges halves of blocks of twice the
 * size. */
static inline void transpose(int16_t *out, size_t out_stride, const int16_t *in, size_t in_stride)
{
    pair_vector a[SQUARE], b[SQUARE];
    for (size_t j = 0; j < SQUARE; j++)
        memcpy(&a[j], in + 2 * j * in_stride, sizeof a[j]);
    for (size_t j = 0; j < SQUARE; j += 2) {
        b[j] = __builtin_shufflevector(a[j], a[j + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[j + 1] = __builtin_shufflevector(a[j], a[j + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (size_t j = 0; j < SQUARE; j += 4)
        for (size_t i = j; i < j + 2; i++) {
            a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[i + 2] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (size_t i = 0; i < 4; i++) {
        b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (size_t i = 0; i < SQUARE; i++)
        memcpy(out + 2 * i * out_stride, &b[i], sizeof b[i]);
}

static inline void interleave(int16_t *strip, size_t width, int16_t q[][CHUNK], size_t pairs)
{
    size_t p = 0;
    if (width % SQUARE == 0)
        for (; p + SQUARE <= pairs; p += SQUARE)
            for (size_t j = 0; j < width; j += SQUARE)
                transpose(strip + 2 * (p * width + j), width, q[j] + 2 * p, CHUNK / 2);
    for (; p < pairs; p++)
        for (size_t j = 0; j < width; j++)
            memcpy(strip + 2 * (p * width + j), q[j] + 2 * p, 2 * sizeof **q);
}

/* rests [n] += Σ (scale v − q)² */
static SAEI_CLONES void pack_scaled(int16_t *strip, size_t width, double *rests, const float *v,
                                    const float *scales, size_t n, size_t d)
{
    int16_t q[WIDTH_MAX][CHUNK] = {{0}};
    for (size_t first = 0; first < d; first += CHUNK) {
        size_t left = d - first < CHUNK ? d - first : CHUNK;
        for (size_t j = 0; j < n; j++) {
            const float *chunk = v + j * d + first;
            float filled[CHUNK];
            if (left < CHUNK) {
                memset(filled, 0, sizeof filled);
                chunk = memcpy(filled, chunk, left * sizeof *chunk);
            }
            if (scales[j] != 0.0f)
                rests[j] += (double)quantise(q[j], chunk, scales[j]);
        }
        interleave(strip + first * width, width, q, saei_fixed_pairs(left));
    }
}

void saei_fixed_pack(int16_t *strip, size_t width, saei_fixed_bounds bounds, const float *v, size_t n,
                     size_t d)
{
    float scales[WIDTH_MAX] = {0};
    double rests[WIDTH_MAX] = {0};
    for (size_t j = 0; j < n; j++) {
        vector_size size = measure(v + j * d, d);
        bounds.norm[j] = norm_of(size, v + j * d, d);
        scales[j] = scale_for((double)bounds.norm[j], (double)size.largest, d);
    }
    pack_scaled(strip, width, rests, v, scales, n, d);
    for (size_t j = 0; j < width; j++) {
        bool packed = j < n && scales[j] != 0.0f;
        bounds.unit[j] = packed ? 1.0f / scales[j] : 0.0f;
        if (j >= n)
            bounds.norm[j] = 0.0f;
        /* unit · q is off v by unit · (rest + the roundings of unit and of scale · v, below 2 · 46340 ·
           2^-24). The factor is more than the errors of the sums in float and of this product. */
        bounds.error[j] = packed ? (float)((double)bounds.unit[j] * (sqrt(rests[j]) + 0.01) * (1.0 + 0x1p-17))
                                 : bounds.norm[j];
    }
}
