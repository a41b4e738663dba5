#include "num/fixed_point.h"
#include "num/rows.h"
#include "num/simd.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LANES = 16, VECTOR = LANES / 2, SQUARE = 8, SIDE = 16 };

/* ‖q‖ ≤ 46340 makes |Σ_S q_i q'_i| ≤ ‖q_S‖ ‖q'_S‖ ≤ 46340² < 2^31 for every set S of dimensions. */
static const double INTEGER_NORM = 46340.0, INTEGER_MAX = 32766.0;

/* Scaled numbers stay below 127 after all roundings. */
static const double BYTE_MAX = 127.0 * (1.0 - 0x1p-20);

/* A vector with a smaller norm is taken for 0: products of units stay far from underflow. */
static const double NORM_MIN = 0x1p-40;

/* Adding it to |x| < 2^22 rounds x to the nearest integer, which is then in the low bits. */
#define ROUNDER 0x1.8p23f

typedef struct vector_size {
    float square; /* Σ v_i² in float: NaN, overflow and underflow are for the caller to see */
    float largest;
} vector_size;

typedef float floats __attribute__((vector_size(4 * VECTOR)));
typedef int32_t integers __attribute__((vector_size(4 * VECTOR)));
typedef floats loaded_floats __attribute__((aligned(4), may_alias));

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
    vector_lanes lanes[2] = {{{0}, {0}}, {{0}, {0}}};
    float rest[LANES] = {0};
    vector_size size = {0.0f, 0.0f};
    size_t i = 0;
    for (; i + LANES <= d; i += LANES) {
        measure_lanes(&lanes[0], v + i);
        measure_lanes(&lanes[1], v + i + VECTOR);
    }
    memcpy(rest, v + i, (d - i) * sizeof *rest);
    for (size_t l = 0; l < 2; l++) {
        measure_lanes(&lanes[l], rest + l * VECTOR);
        floats largest = (floats)lanes[l].largest;
        for (size_t j = 0; j < VECTOR; j++) {
            size.square += lanes[l].square[j];
            size.largest = largest[j] > size.largest ? largest[j] : size.largest;
        }
    }
    return size;
}

/* What a sum of d squares in 8 lanes of float or more is off at most, relatively; the conversion is covered.
 */
static double error_of_sum(size_t d)
{
    return ((double)(d / VECTOR) + 2.0 * LANES + 4.0) * 0x1p-24;
}

static float norm_of(vector_size size, const float *v, size_t d)
{
    double largest_square = (double)SAEI_FIXED_NORM_MAX * (double)SAEI_FIXED_NORM_MAX;
    if (size.square >= (float)(NORM_MIN * NORM_MIN) && size.square <= (float)largest_square)
        return (float)(sqrt((double)size.square) * (1.0 + error_of_sum(d)));
    double norm = sqrt(saei_row_norm2(v, d));
    return norm <= 0.5 * (double)FLT_MAX ? (float)(norm * (1.0 + 0x1p-20)) : INFINITY;
}

static bool is_representable(double norm)
{
    return norm >= NORM_MIN && norm <= (double)SAEI_FIXED_NORM_MAX;
}

/* ‖q‖ ≤ scale ‖v‖ + ½√d + 46340 · 2^-23: the roundings to integers, that of the scale and those of the
   products; the subtracted 1 is more than the last. 32766 leaves the same room for a single |q_i|. */
static float wide_scale(double norm, double largest, size_t d)
{
    return (float)fmin((INTEGER_NORM - 1.0 - 0.5 * sqrt((double)d)) / norm, INTEGER_MAX / largest);
}

/* unit · q is off v by unit · (rest + the roundings of unit and of scale · v). These are at most
   2^-24 (‖scale v‖ + ‖q‖), and ‖q‖ ≤ 2 ‖scale v‖, for neither scale lets ‖scale v‖ be below ½√d. The last
   factor is for the roundings here. */
static float error_of(double rest2, double scale, double norm, size_t d)
{
    double rest = sqrt(rest2) * (1.0 + error_of_sum(d));
    return (float)((rest + norm * scale * 0x1p-22) / scale * (1.0 + 0x1p-20));
}

/* A line of v, in `filled` when it is the last and not whole. */
static inline const float *line_of(const float *v, size_t first, size_t length, size_t d, float *filled)
{
    if (first + length <= d)
        return v + first;
    memset(filled, 0, length * sizeof *filled);
    return memcpy(filled, v + first, (d - first) * sizeof *filled);
}

/* Takes the nearest integers off x. */
static inline void take_integers(integers *out, floats *x)
{
    floats shifted = *x + ROUNDER;
    *out = (integers)shifted;
    *x -= shifted - ROUNDER;
}

typedef int16_t words __attribute__((vector_size(4 * VECTOR)));
typedef uint8_t bytes __attribute__((vector_size(4 * VECTOR)));

/* The low halves of 16 integers. */
static inline void low_words(words *out, const integers of[2])
{
    *out = __builtin_shufflevector((words)of[0], (words)of[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                   26, 28, 30);
}

/* The low bytes of 32 integers. */
static inline void low_bytes(bytes *out, const integers of[4])
{
    words halves[2];
    low_words(&halves[0], of);
    low_words(&halves[1], of + 2);
    *out = __builtin_shufflevector((bytes)halves[0], (bytes)halves[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20,
                                   22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58,
                                   60, 62);
}

/* Adds Σ (scale v − q)². */
static inline void wide_line(char *line, floats *rest, const float *v, float scale)
{
    for (size_t i = 0; i < SAEI_LINE / 2; i += 2 * VECTOR) {
        integers q[2];
        for (size_t l = 0; l < 2; l++) {
            floats left = *(const loaded_floats *)(v + i + l * VECTOR) * scale;
            take_integers(&q[l], &left);
            *rest += left * left;
        }
        words stored;
        low_words(&stored, q);
        memcpy(line + 2 * i, &stored, sizeof stored);
    }
}

/* Adds Σ (scale v − h)². */
static inline void byte_line(char *high, char *low, floats *rest, const float *v, float scale, uint8_t flip)
{
    for (size_t i = 0; i < SAEI_LINE; i += 4 * VECTOR) {
        integers h[4], l[4];
        for (size_t at = 0; at < 4; at++) {
            floats left = *(const loaded_floats *)(v + i + at * VECTOR) * scale;
            take_integers(&h[at], &left);
            *rest += left * left;
            l[at] = (integers)(left * (float)SAEI_FRACTION + ROUNDER);
        }
        bytes stored_high, stored_low;
        low_bytes(&stored_high, h);
        low_bytes(&stored_low, l);
        stored_high ^= flip;
        stored_low ^= flip;
        memcpy(high + i, &stored_high, sizeof stored_high);
        memcpy(low + i, &stored_low, sizeof stored_low);
    }
}

static inline float sum_of(const floats *lanes)
{
    float sum = 0.0f;
    for (size_t l = 0; l < VECTOR; l++)
        sum += (*lanes)[l];
    return sum;
}

static SAEI_CLONES float wide_lines(saei_line_places lines, const float *v, float scale, size_t d)
{
    enum { LENGTH = SAEI_LINE / 2 };
    float filled[LENGTH];
    floats rest = {0};
    for (size_t first = 0; first < d; first += LENGTH, lines.first += lines.stride)
        wide_line(lines.first, &rest, line_of(v, first, LENGTH, d, filled), scale);
    return sum_of(&rest);
}

static SAEI_CLONES float byte_lines(saei_line_places high, saei_line_places low, uint8_t flip, const float *v,
                                    float scale, size_t d)
{
    float filled[SAEI_LINE];
    floats rest = {0};
    for (size_t first = 0; first < d; first += SAEI_LINE, high.first += high.stride, low.first += low.stride)
        byte_line(high.first, low.first, &rest, line_of(v, first, SAEI_LINE, d, filled), scale, flip);
    return sum_of(&rest);
}

static void fill_lines(saei_line_places lines, size_t n_lines, uint8_t byte)
{
    for (size_t i = 0; i < n_lines; i++)
        memset(lines.first + i * lines.stride, byte, SAEI_LINE);
}

saei_fixed_bounds saei_fixed_pack_wide(saei_line_places lines, const float *v, size_t d)
{
    vector_size size = measure(v, d);
    float norm = norm_of(size, v, d);
    if (!is_representable((double)norm)) {
        fill_lines(lines, saei_wide_lines(d), 0);
        return (saei_fixed_bounds){0.0f, norm, norm, norm};
    }
    float scale = wide_scale((double)norm, (double)size.largest, d), rest2 = wide_lines(lines, v, scale, d);
    float error = error_of((double)rest2, (double)scale, (double)norm, d);
    return (saei_fixed_bounds){1.0f / scale, norm, error, error};
}

saei_fixed_bounds saei_fixed_pack_bytes(saei_line_places high, saei_line_places low, uint8_t flip,
                                        const float *v, size_t d)
{
    vector_size size = measure(v, d);
    float norm = norm_of(size, v, d);
    if (!is_representable((double)norm)) {
        fill_lines(high, saei_byte_lines(d), flip);
        fill_lines(low, saei_byte_lines(d), flip);
        return (saei_fixed_bounds){0.0f, norm, norm, norm};
    }
    float scale = (float)(BYTE_MAX / (double)size.largest), rest2 = byte_lines(high, low, flip, v, scale, d);
    /* What l leaves of a number is at most half of its unit, and never more than h left. */
    const double half = 0.5 / (double)SAEI_FRACTION;
    double left2 = fmin((double)rest2, half * half * (double)d);
    return (saei_fixed_bounds){1.0f / scale, norm, error_of(left2, (double)scale, (double)norm, d),
                               error_of((double)rest2, (double)scale, (double)norm, d)};
}

/* A unit moves as one number. */
typedef int32_t unit_vector __attribute__((vector_size(4 * SQUARE), aligned(4), may_alias));

/* out[i][j] = in[j][i] for 8 × 8 units; strides in bytes. Each stage exchanges halves of blocks of twice the
 * size. */
static inline void transpose(char *out, size_t out_stride, const char *in, size_t in_stride)
{
    unit_vector a[SQUARE], b[SQUARE];
    for (size_t j = 0; j < SQUARE; j++)
        memcpy(&a[j], in + j * in_stride, sizeof a[j]);
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
        memcpy(out + i * out_stride, &b[i], sizeof b[i]);
}

SAEI_CLONES void saei_fixed_interleave(char *strip, saei_line_places lines, size_t row_stride, size_t n_lines)
{
    enum { UNITS = SAEI_LINE / SAEI_UNIT, OUT_STRIDE = SIDE * SAEI_UNIT };
    for (size_t line = 0; line < n_lines; line++)
        for (size_t u = 0; u < UNITS; u += SQUARE)
            for (size_t r = 0; r < SIDE; r += SQUARE)
                transpose(strip + (line * UNITS + u) * OUT_STRIDE + r * SAEI_UNIT, OUT_STRIDE,
                          lines.first + line * lines.stride + r * row_stride + u * SAEI_UNIT, row_stride);
}
