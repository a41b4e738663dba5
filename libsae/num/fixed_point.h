/* Vectors as fixed point, so that their dot products are sums of integers: exact in 32 bits, hence the same
   in any order and on any machine. Wide: v ≈ unit · q with q of 16 bits. In bytes: v ≈ unit · (h + l / 254)
   with h and l of 8 bits, of which h alone tells roughly. */
#ifndef SAEI_FIXED_POINT_H
#define SAEI_FIXED_POINT_H

#include <stddef.h>
#include <stdint.h>

/* Packed vectors are lines of 16 units of 4 bytes: a line has 32 dimensions of 16 bits, or 64 in bytes. What
   is beyond the last dimension is 0. */
enum { SAEI_UNIT = 4, SAEI_LINE = 16 * SAEI_UNIT, SAEI_FRACTION = 254 };

/* More dimensions in bytes could overflow 32 bits. */
enum { SAEI_BYTES_DIMENSIONS_MAX = 32768 };

typedef struct saei_fixed_bounds {
    float unit;   /* 0 where all numbers are 0 */
    float norm;   /* ≥ ‖v‖; Inf when v has NaN or Inf */
    float error;  /* ≥ ‖v − unit · q‖, in bytes ‖v − unit · (h + l / 254)‖ */
    float coarse; /* ≥ ‖v − unit · h‖; wide: error */
} saei_fixed_bounds;

/* Vectors with a larger norm are not represented: all numbers are 0 and error = norm. */
#define SAEI_FIXED_NORM_MAX 0x1p60f

static inline size_t saei_wide_lines(size_t d)
{
    return d / 32 + (d % 32 != 0);
}

static inline size_t saei_byte_lines(size_t d)
{
    return d / 64 + (d % 64 != 0);
}

/* Where the lines of a vector are written, `stride` bytes from one to the next. */
typedef struct saei_line_places {
    char *first;
    size_t stride;
} saei_line_places;

/* Packs v [d]. For any two such vectors, every partial sum of Σ q_i q'_i in any order fits 32 bits. */
saei_fixed_bounds saei_fixed_pack_wide(saei_line_places lines, const float *v, size_t d);

/* Packs v [d], d <= SAEI_BYTES_DIMENSIONS_MAX, as bytes, signed when flip is 0. With 0x80 their highest bit
   is flipped, which adds 128 to each: they are unsigned then. */
saei_fixed_bounds saei_fixed_pack_bytes(saei_line_places high, saei_line_places low, uint8_t flip,
                                        const float *v, size_t d);

/* 16 packed vectors, row_stride bytes apart, unit by unit: strip [16 n_lines units, 16 vectors, 4 bytes]. */
void saei_fixed_interleave(char *strip, saei_line_places lines, size_t row_stride, size_t n_lines);

#endif
