#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <emmintrin.h>

#define TILE_TARGET "sse2"
#define TILE_LANES 4
#define TILE_REACHES(x, y) (uint32_t) _mm_movemask_ps(_mm_cmpge_ps((__m128)(x), (__m128)(y)))
#define TILE_MAX(x, y) (test_floats) _mm_max_ps((__m128)(x), (__m128)(y))
#include "num/screen_test.h"

#define PRODUCT_NAME product
#define PRODUCT_LATENTS 3
#define PRODUCT_VECTORS 4
#define PRODUCT_TESTS 0
#define PRODUCT_DOT(sum, w, x) ((sum) + (integers)_mm_madd_epi16((__m128i)(w), (__m128i)(x)))
#include "num/screen_product.h"

static void wide(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                 saei_screen_hits *hits)
{
    const saei_screen_panel *panel = now->panel;
    beside b = {tile, before, {{0}}};
    finish_test(hits, &b, 0);
    for (size_t s = 0; s < tile->n; s++)
        for (size_t l = 0; l < SAEI_PANEL; l += 3)
            product(now->at[s] + l * SAEI_STRIP, TILE_LANES, tile->strips[s].packed, TILE_LANES * SAEI_UNIT,
                    panel->lines + l * SAEI_LINE, panel->n_lines, &b);
}

static bool runs_here(void)
{
    return true;
}

const saei_screen_kernel saei_screen_sse2 = {"sse2", wide, NULL, NULL, runs_here};

#endif
