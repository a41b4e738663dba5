#include "num/fixed_point.h"
#include "num/rows.h"
#include "num/simd.h"

#include <math.h>
#include <string.h>

enum { LANES = 16, WIDTH_MAX = 16, CHUNK = 64 };

/* ‖q‖ ≤ 46340 makes |Σ_S q_i q'_i| ≤ ‖q_S‖ ‖q'_S‖ ≤ 46340² < 2^31 for every set S of dimensions. */
static const double INTEGER_NORM = 46340.0, INTEGER_MAX = 32766.0;

/* A vector with a smaller norm is taken for 0: products of units stay far from underflow. */
static const double NORM_MIN = 0x1p-40;

/* Adding it to |x| < 2^22 rounds x to the nearest integer, which is then in the low bits. */
static const float ROUNDER = 0x1.8p23f;

static SAEI_CLONES float largest_magnitude(const float *v, size_t d)
{
    float lane[LANES] = {0}, largest = 0.0f;
    size_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float x = fabsf(v[i + l]);
            lane[l] = x > lane[l] ? x : lane[l];
        }
    for (; i < d; i++)
        largest = fabsf(v[i]) > largest ? fabsf(v[i]) : largest;
    for (size_t l = 0; l < LANES; l++)
        largest = lane[l] > largest ? lane[l] : largest;
    return largest;
}

/* ‖q‖ ≤ scale ‖v‖ + ½√d + 46340 · 2^-23: the roundings to integers, that of the scale and those of the
   products; the subtracted 1 is more than the last. 32766 leaves the same room for a single |q_i|. */
static float scale_for(double norm, double largest, size_t d)
{
    if (!(norm >= NORM_MIN && norm <= (double)SAEI_FIXED_NORM_MAX))
        return 0.0f;
    return (float)fmin((INTEGER_NORM - 1.0 - 0.5 * sqrt((double)d)) / norm, INTEGER_MAX / largest);
}

/* q = round(scale · v); returns Σ (scale v − q)², from at most 8 float additions in a row. */
static inline float quantise(int16_t q[CHUNK], const float v[CHUNK], float scale)
{
    float lane[LANES] = {0}, sum = 0.0f;
    for (size_t i = 0; i < CHUNK; i += LANES)
        for (size_t l = 0; l < LANES; l++) {
            float scaled = v[i + l] * scale, shifted = scaled + ROUNDER;
            int32_t bits;
            memcpy(&bits, &shifted, sizeof bits);
            q[i + l] = (int16_t)(bits & 0xffff);
            float rest = scaled - (shifted - ROUNDER);
            lane[l] += rest * rest;
        }
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

static inline void interleave(int16_t *strip, size_t width, int16_t q[][CHUNK], size_t pairs)
{
    for (size_t p = 0; p < pairs; p++)
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
            float filled[CHUNK] = {0};
            const float *chunk = v + j * d + first;
            if (left < CHUNK)
                chunk = memcpy(filled, chunk, left * sizeof *chunk);
            if (scales[j] != 0.0f)
                rests[j] += (double)quantise(q[j], chunk, scales[j]);
        }
        interleave(strip + first * width, width, q, saei_fixed_pairs(left));
    }
}

static float rounded_up(double x)
{
    return (float)(x * (1.0 + 0x1p-20));
}

void saei_fixed_pack(int16_t *strip, size_t width, saei_fixed_bounds bounds, const float *v, size_t n,
                     size_t d)
{
    float scales[WIDTH_MAX] = {0};
    double rests[WIDTH_MAX] = {0};
    for (size_t j = 0; j < n; j++) {
        double norm = sqrt(saei_row_norm2(v + j * d, d));
        bounds.norm[j] = isfinite(norm) ? rounded_up(norm) : INFINITY;
        scales[j] = scale_for(norm, (double)largest_magnitude(v + j * d, d), d);
    }
    pack_scaled(strip, width, rests, v, scales, n, d);
    for (size_t j = 0; j < n; j++) {
        bounds.unit[j] = scales[j] != 0.0f ? 1.0f / scales[j] : 0.0f;
        /* unit · q is off v by unit · (rest + the roundings of unit and of scale · v, below 2 · 46340 ·
           2^-24). The factor is more than the error of the sums in float. */
        bounds.error[j] = scales[j] != 0.0f
                              ? rounded_up((double)bounds.unit[j] * (sqrt(rests[j]) * (1.0 + 0x1p-18) + 0.01))
                              : bounds.norm[j];
    }
    for (size_t j = n; j < width; j++)
        bounds.unit[j] = bounds.norm[j] = bounds.error[j] = 0.0f;
}
