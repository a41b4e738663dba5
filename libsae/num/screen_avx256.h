/* What the 256-bit kernels share. */
#ifndef SAEI_SCREEN_AVX256_H
#define SAEI_SCREEN_AVX256_H

#include "num/screen_kernel.h"

#include <immintrin.h>

__attribute__((target("avx2"))) static inline void keep(saei_screen_row *row, uint32_t mask, uint32_t first,
                                                        __m256 lower, __m256 upper, __m256 floor)
{
    float lowers[8], uppers[8];
    __m256 sure = _mm256_cmp_ps(lower, floor, _CMP_GT_OQ);
    _mm256_storeu_ps(lowers, _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), lower, sure));
    _mm256_storeu_ps(uppers, upper);
    for (; mask != 0; mask &= mask - 1) {
        uint32_t l = (uint32_t)__builtin_ctz(mask);
        saei_screen_push(row, first + l, lowers[l], uppers[l]);
    }
}

#define TILE_LANES 8
#define TILE_REACHES(x, y) (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps((__m256)(x), (__m256)(y), _CMP_GE_OQ))
#define TILE_KEEP(row, mask, first, lower, upper, floor) \
    keep(row, mask, first, (__m256)(lower), (__m256)(upper), (__m256)(floor))

#endif
