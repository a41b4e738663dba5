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

static void wide(const saei_screen_strip *strips, size_t n, const saei_screen_panel *panel,
                 saei_screen_hits *hits)
{
    multiply_and_test(hits, strips, n, panel, wide_product);
}

static void bytes(const saei_screen_strip *strips, size_t n, const saei_screen_panel *panel,
                  saei_screen_hits *hits)
{
    multiply_and_test(hits, strips, n, panel, byte_product);
}

__attribute__((target(TILE_TARGET))) static __m256i half_line(saei_lines lines, size_t half)
{
    const char *line = lines.first + half / 2 * lines.stride + half % 2 * (SAEI_LINE / 2);
    return _mm256_loadu_si256((const __m256i *)(const void *)line);
}

__attribute__((target(TILE_TARGET))) static int32_t byte_dot(saei_lines w, saei_lines x, size_t n_lines)
{
    __m256i sums = _mm256_setzero_si256();
    for (size_t i = 0; i < 2 * n_lines; i++)
        sums = _mm256_dpbusd_avx_epi32(sums, half_line(w, i), half_line(x, i));
    int32_t lanes[8], sum = 0;
    _mm256_storeu_si256((__m256i *)lanes, sums);
    for (size_t l = 0; l < 8; l++)
        sum += lanes[l];
    return sum;
}

static bool runs_here(void)
{
    unsigned a, b, c, d;
    /* __builtin_cpu_supports of older compilers does not know it: leaf 7.1, EAX bit 4. */
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1) != 0;
}

const saei_screen_kernel saei_screen_avxvnni = {"avxvnni", wide, bytes, byte_dot, runs_here};

#endif
