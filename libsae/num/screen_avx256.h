/* What the 256-bit kernels share. */
#ifndef SAEI_SCREEN_AVX256_H
#define SAEI_SCREEN_AVX256_H

#include "num/screen_kernel.h"

#include <immintrin.h>

__attribute__((target("avx2"))) static inline void keep(saei_screen_row *row, uint32_t mask, uint32_t first,
                                                        __m256 lower, __m256 upper, __m256 floor)
{
    float lowers[8], uppers[8], floors[8];
    _mm256_storeu_ps(lowers, lower);
    _mm256_storeu_ps(uppers, upper);
    _mm256_storeu_ps(floors, floor);
    for (; mask != 0; mask &= mask - 1) {
        uint32_t l = (uint32_t)__builtin_ctz(mask);
        saei_screen_push(row, first + l, lowers[l], uppers[l], floors[l]);
    }
}

#define TILE_LANES 8
#define TILE_REACHES(x, y) (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps((__m256)(x), (__m256)(y), _CMP_GE_OQ))
#define TILE_KEEP(row, mask, first, lower, upper, floor) \
    keep(row, mask, first, (__m256)(lower), (__m256)(upper), (__m256)(floor))

#endif
