/* What the 512-bit kernels share. Defined before: TILE_TARGET, WIDE_DOT(sum, w, x). */
#include "num/screen_kernel.h"

#include <immintrin.h>

#define TILE_LANES 16
#define TILE_REACHES(x, y) _mm512_cmp_ps_mask((__m512)(x), (__m512)(y), _CMP_GE_OQ)
#define TILE_MAX(x, y) (test_floats) _mm512_max_ps((__m512)(x), (__m512)(y))
#include "num/screen_test.h"

typedef void (*product_fn)(int32_t *sums, size_t sum_stride, const char *x, size_t x_stride, const char *w,
                           size_t n_lines);

/* A vector is a strip: two of them share the loads of the weights. */
static inline void multiply_and_test(saei_screen_hits *hits, const saei_screen_strip *strips, size_t n,
                                     const saei_screen_panel *panel, product_fn one, product_fn two)
{
    enum { SUMS = SAEI_PANEL * SAEI_STRIP };
    int32_t sums[SAEI_STRIPS_AT_ONCE * SUMS];
    (n == 2 ? two : one)(sums, SUMS, strips->packed, panel->n_lines * SAEI_LINE * SAEI_STRIP, panel->lines,
                         panel->n_lines);
    for (size_t s = 0; s < n; s++)
        test_sums(hits, sums + s * SUMS, strips + s, panel);
}

#define PRODUCT_NAME wide_of_one
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 1
#define PRODUCT_DOT WIDE_DOT
#include "num/screen_product.h"

#define PRODUCT_NAME wide_of_two
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 2
#define PRODUCT_DOT WIDE_DOT
#include "num/screen_product.h"

static void wide(const saei_screen_strip *strips, size_t n, const saei_screen_panel *panel,
                 saei_screen_hits *hits)
{
    multiply_and_test(hits, strips, n, panel, wide_of_one, wide_of_two);
}
