/* What the 512-bit kernels share. Defined before: TILE_TARGET, WIDE_DOT(sum, w, x). */
#include "num/screen_kernel.h"

#include <immintrin.h>

#define TILE_LANES 16
#define TILE_REACHES(x, y) _mm512_cmp_ps_mask((__m512)(x), (__m512)(y), _CMP_GE_OQ)
#define TILE_MAX(x, y) (test_floats) _mm512_max_ps((__m512)(x), (__m512)(y))
#include "num/screen_test.h"

typedef void (*product_fn)(int32_t *sums, size_t sum_stride, const char *x, size_t x_stride, const char *w,
                           size_t n_lines, beside *b);

/* A vector is a strip: two of them share the loads of the weights. */
static inline void multiply_and_test(const saei_screen_tile *tile, saei_screen_sums *now,
                                     const saei_screen_sums *before, saei_screen_hits *hits, product_fn one,
                                     product_fn two)
{
    const saei_screen_panel *panel = now->panel;
    beside b = {tile, before, {{0}}};
    (tile->n == 2 ? two : one)(now->at[0], SAEI_PANEL * SAEI_STRIP, tile->strips->packed,
                               panel->n_lines * SAEI_LINE * SAEI_STRIP, panel->lines, panel->n_lines, &b);
    finish_test(hits, &b, panel->n_lines);
}

#define PRODUCT_NAME wide_of_one
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 1
#define PRODUCT_TESTS 1
#define PRODUCT_DOT WIDE_DOT
#include "num/screen_product.h"

#define PRODUCT_NAME wide_of_two
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 2
#define PRODUCT_TESTS 2
#define PRODUCT_DOT WIDE_DOT
#include "num/screen_product.h"

static void wide(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                 saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, wide_of_one, wide_of_two);
}
