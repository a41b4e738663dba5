/* What the 512-bit kernels share. */
#ifndef SAEI_SCREEN_AVX512_H
#define SAEI_SCREEN_AVX512_H

#include "num/screen_kernel.h"

#include <immintrin.h>

__attribute__((target("avx512f"))) static inline void keep(saei_screen_row *row, uint32_t mask,
                                                           uint32_t first, __m512 lower, __m512 upper,
                                                           __m512 floor)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i latent = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)first));
    __mmask16 taken = (__mmask16)mask, sure = _mm512_cmp_ps_mask(lower, floor, _CMP_GT_OQ);
    lower = _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), sure, lower);
    /* Whole vectors are written: a row has room for more than the candidates of this panel. */
    _mm512_storeu_ps(row->lower + row->n, _mm512_maskz_compress_ps(taken, lower));
    _mm512_storeu_ps(row->upper + row->n, _mm512_maskz_compress_ps(taken, upper));
    _mm512_storeu_si512(row->latent + row->n, _mm512_maskz_compress_epi32(taken, latent));
    row->n += (uint32_t)__builtin_popcount(mask);
}

#define TILE_LANES 16
#define TILE_REACHES(x, y) _mm512_cmp_ps_mask((__m512)(x), (__m512)(y), _CMP_GE_OQ)
#define TILE_KEEP(row, mask, first, lower, upper, floor) \
    keep(row, mask, first, (__m512)(lower), (__m512)(upper), (__m512)(floor))

#endif
