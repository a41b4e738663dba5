#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx2,avxvnni"
#include "num/screen_avx256.h"

#include <cpuid.h>

#define PRODUCT_NAME wide_product
#define PRODUCT_LATENTS 6
#define PRODUCT_VECTORS 2
#define PRODUCT_DOT(sum, w, x) ((integers)_mm256_dpwssd_avx_epi32((__m256i)(sum), (__m256i)(w), (__m256i)(x)))
#include "num/screen_product.h"

#define PRODUCT_NAME byte_product
#define PRODUCT_LATENTS 6
#define PRODUCT_VECTORS 2
#define PRODUCT_DOT(sum, w, x) ((integers)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(w), (__m256i)(x)))
#include "num/screen_product.h"

static void wide(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    multiply_and_test(strips, n, panel, wide_product);
}

static void bytes(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    multiply_and_test(strips, n, panel, byte_product);
}

__attribute__((target(TILE_TARGET))) static int32_t sum_of(__m256i v)
{
    int32_t lanes[8], sum = 0;
    _mm256_storeu_si256((__m256i *)lanes, v);
    for (size_t i = 0; i < 8; i++)
        sum += lanes[i];
    return sum;
}

__attribute__((target(TILE_TARGET))) static __m256i half_line(const char *line)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)line);
}

__attribute__((target(TILE_TARGET))) static void byte_dots(int32_t dots[3], saei_byte_latent w,
                                                           const char *row, size_t n_lines)
{
    __m256i hh = _mm256_setzero_si256(), mixed = hh, ll = hh;
    for (size_t i = 0; i < 2 * n_lines; i++) {
        size_t line = i / 2, half = i % 2 * (SAEI_LINE / 2);
        __m256i w_high = half_line(w.high + line * SAEI_PANEL * SAEI_LINE + half);
        __m256i w_low = half_line(w.low + line * SAEI_LINE + half);
        __m256i high = half_line(row + 2 * line * SAEI_LINE + half);
        __m256i low = half_line(row + (2 * line + 1) * SAEI_LINE + half);
        hh = _mm256_dpbusd_avx_epi32(hh, w_high, high);
        mixed = _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(mixed, w_low, high), w_high, low);
        ll = _mm256_dpbusd_avx_epi32(ll, w_low, low);
    }
    dots[0] = sum_of(hh);
    dots[1] = sum_of(mixed);
    dots[2] = sum_of(ll);
}

static bool runs_here(void)
{
    unsigned a, b, c, d;
    /* __builtin_cpu_supports of older compilers does not know it: leaf 7.1, EAX bit 4. */
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1) != 0;
}

const saei_screen_kernel saei_screen_avxvnni = {"avxvnni", wide, bytes, byte_dots, runs_here};

#endif
