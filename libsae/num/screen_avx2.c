#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx2"
#include "num/screen_avx256.h"

#define PRODUCT_NAME product
#define PRODUCT_LATENTS 6
#define PRODUCT_VECTORS 2
#define PRODUCT_TESTS 0
#define PRODUCT_DOT(sum, w, x) ((sum) + (integers)_mm256_madd_epi16((__m256i)(w), (__m256i)(x)))
#include "num/screen_product.h"

static void wide(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                 saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, product);
}

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx2");
}

const saei_screen_kernel saei_screen_avx2 = {"avx2", wide, NULL, NULL, runs_here};

#endif
