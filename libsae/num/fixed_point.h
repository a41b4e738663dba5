/* Vectors as 16-bit fixed point, so that their dot products are sums of integers: exact in 32 bits, hence the
   same in any order and on any machine. */
#ifndef SAEI_FIXED_POINT_H
#define SAEI_FIXED_POINT_H

#include <stddef.h>
#include <stdint.h>

/* What is known of each of the packed vectors v ≈ unit · q; three arrays, one entry for each vector. */
typedef struct saei_fixed_bounds {
    float *unit;  /* 0 where q is all zero */
    float *norm;  /* ≥ ‖v‖; Inf when v has NaN or Inf */
    float *error; /* ≥ ‖v − unit · q‖ */
} saei_fixed_bounds;

/* Vectors with a larger norm are not represented: q = 0 and error = norm. */
#define SAEI_FIXED_NORM_MAX 0x1p60f

/* Pairs of 16-bit numbers that hold d dimensions; an odd d is filled up with 0. */
static inline size_t saei_fixed_pairs(size_t d)
{
    return d / 2 + d % 2;
}

/* Packs v [n, d] as `width` vectors, side by side: strip [pairs(d), width, 2]; those from n on are 0. n <=
   width <=
   16. For any two packed vectors, every partial sum of Σ q_i q'_i in any order fits 32 bits. */
void saei_fixed_pack(int16_t *strip, size_t width, saei_fixed_bounds bounds, const float *v, size_t n,
                     size_t d);

#endif
