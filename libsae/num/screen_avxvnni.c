#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx2,avxvnni"
#include "num/screen_avx256.h"

#include <cpuid.h>

#define PRODUCT_NAME wide_product
#define PRODUCT_LATENTS 6
#define PRODUCT_VECTORS 2
#define PRODUCT_TESTS 0
#define PRODUCT_DOT(sum, w, x) ((integers)_mm256_dpwssd_avx_epi32((__m256i)(sum), (__m256i)(w), (__m256i)(x)))
#include "num/screen_product.h"

#define PRODUCT_NAME byte_product
#define PRODUCT_LATENTS 6
#define PRODUCT_VECTORS 2
#define PRODUCT_TESTS 0
#define PRODUCT_DOT(sum, w, x) ((integers)_mm256_dpbusd_avx_epi32((__m256i)(sum), (__m256i)(w), (__m256i)(x)))
#include "num/screen_product.h"

static void wide(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                 saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, wide_product);
}

static void bytes(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                  saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, byte_product);
}

__attribute__((target(TILE_TARGET))) static inline __m256i loaded(const char *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

__attribute__((target(TILE_TARGET))) static int32_t byte_dot(const saei_byte_pair *pair, size_t n_lines,
                                                             size_t w_stride)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    const char *w = pair->w, *x = pair->x;
    int32_t lanes[8], sum = 0;
    for (size_t i = 0; i < n_lines; i++, w += w_stride, x += SAEI_LINE) {
        a = _mm256_dpbusd_avx_epi32(a, loaded(w), loaded(x));
        b = _mm256_dpbusd_avx_epi32(b, loaded(w + SAEI_LINE / 2), loaded(x + SAEI_LINE / 2));
    }
    _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi32(a, b));
    for (size_t l = 0; l < 8; l++)
        sum += lanes[l];
    return sum;
}

static void byte_dots(int32_t *sums, const saei_byte_pair *pairs, size_t n, size_t n_lines, size_t w_stride)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = byte_dot(pairs + i, n_lines, w_stride);
}

static bool runs_here(void)
{
    unsigned a, b, c, d;
    /* __builtin_cpu_supports of older compilers does not know it: leaf 7.1, EAX bit 4. */
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1) != 0;
}

const saei_screen_kernel saei_screen_avxvnni = {"avxvnni", wide, bytes, byte_dots, runs_here};

#endif
