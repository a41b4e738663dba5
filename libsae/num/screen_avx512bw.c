#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx512f,avx512bw"
#include "num/screen_avx512.h"

#define WIDE_DOT(sum, w, x) ((sum) + (integers)_mm512_madd_epi16((__m512i)(w), (__m512i)(x)))

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

static void wide(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    multiply_and_test(strips, n, panel, wide_of_one, wide_of_two);
}

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512bw");
}

const saei_screen_kernel saei_screen_avx512bw = {"avx512bw", wide, NULL, NULL, runs_here};

#endif
