#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <emmintrin.h>

static inline void keep(saei_screen_row *row, uint32_t mask, uint32_t first, __m128 lower, __m128 upper,
                        __m128 floor)
{
    float lowers[4], uppers[4], floors[4];
    _mm_storeu_ps(lowers, lower);
    _mm_storeu_ps(uppers, upper);
    _mm_storeu_ps(floors, floor);
    for (; mask != 0; mask &= mask - 1) {
        uint32_t l = (uint32_t)__builtin_ctz(mask);
        saei_screen_push(row, first + l, lowers[l], uppers[l], floors[l]);
    }
}

#define TILE_TARGET "sse2"
#define TILE_LANES 4
#define TILE_DOT(sum, a, b) ((sum) + (integers)_mm_madd_epi16((__m128i)(a), (__m128i)(b)))
#define TILE_REACHES(x, y) (uint32_t) _mm_movemask_ps(_mm_cmpge_ps((__m128)(x), (__m128)(y)))
#define TILE_KEEP(row, mask, first, lower, upper, floor) \
    keep(row, mask, first, (__m128)(lower), (__m128)(upper), (__m128)(floor))

#define TILE_NAME tile
#define TILE_ROWS 6
#include "num/screen_tile.h"

#define TILE_NAME few_rows
#define TILE_ROWS SAEI_FEW_ROWS
#include "num/screen_tile.h"

static bool runs_here(void)
{
    return true;
}

const saei_screen_kernel saei_screen_sse2 = {"sse2", 6, tile, few_rows, runs_here};

#endif
