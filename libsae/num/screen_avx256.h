/* What the 256-bit kernels share. */
#include "num/screen_kernel.h"

#include <immintrin.h>

#define TILE_LANES 8
#define TILE_REACHES(x, y) (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps((__m256)(x), (__m256)(y), _CMP_GE_OQ))
#define TILE_MAX(x, y) (test_floats) _mm256_max_ps((__m256)(x), (__m256)(y))
#include "num/screen_test.h"

typedef void (*product_fn)(int32_t *sums, size_t sum_stride, const char *x, size_t x_stride, const char *w,
                           size_t n_lines, beside *b);

/* Two vectors to a strip, half a panel at a time: no registers are left for a test beside the product. */
static inline void multiply_and_test(const saei_screen_tile *tile, saei_screen_sums *now,
                                     const saei_screen_sums *before, saei_screen_hits *hits,
                                     product_fn product)
{
    enum { HALF = SAEI_PANEL / 2 };
    const saei_screen_panel *panel = now->panel;
    beside b = {tile, before, {{0}}};
    finish_test(hits, &b, 0);
    for (size_t s = 0; s < tile->n; s++)
        for (size_t l = 0; l < SAEI_PANEL; l += HALF)
            product(now->at[s] + l * SAEI_STRIP, TILE_LANES, tile->strips[s].packed, TILE_LANES * SAEI_UNIT,
                    panel->lines + l * SAEI_LINE, panel->n_lines, &b);
}
