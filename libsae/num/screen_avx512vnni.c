#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx512f,avx512vnni"
#define WIDE_DOT(sum, w, x) ((integers)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(w), (__m512i)(x)))
#include "num/screen_avx512.h"

#define BYTES_DOT(sum, w, x) ((integers)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(w), (__m512i)(x)))

#define PRODUCT_NAME bytes_of_one
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 1
#define PRODUCT_TESTS 1
#define PRODUCT_DOT BYTES_DOT
#include "num/screen_product.h"

#define PRODUCT_NAME bytes_of_two
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 2
#define PRODUCT_TESTS 2
#define PRODUCT_DOT BYTES_DOT
#include "num/screen_product.h"

static void bytes(const saei_screen_tile *tile, saei_screen_sums *now, const saei_screen_sums *before,
                  saei_screen_hits *hits)
{
    multiply_and_test(tile, now, before, hits, bytes_of_one, bytes_of_two);
}

enum { TOGETHER = 4 };

/* The totals of four vectors of sums. */
__attribute__((target(TILE_TARGET))) static inline __m128i totals(const __m512i s[TOGETHER])
{
    __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
    __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
    __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1));
}

/* Pairs i to i + 3; where there are fewer, the last again. */
__attribute__((target(TILE_TARGET))) static inline void byte_dots_from(int32_t *sums, size_t i,
                                                                       const saei_byte_pair *pairs, size_t n,
                                                                       size_t n_lines, size_t w_stride)
{
    const char *w[TOGETHER], *x[TOGETHER];
    __m512i s[TOGETHER];
    int32_t total[TOGETHER];
#pragma GCC unroll 4
    for (size_t c = 0; c < TOGETHER; c++) {
        const saei_byte_pair *pair = pairs + (i + c < n ? i + c : n - 1);
        w[c] = pair->w;
        x[c] = pair->x;
        s[c] = _mm512_setzero_si512();
    }
    for (size_t line = 0; line < n_lines; line++)
#pragma GCC unroll 4
        for (size_t c = 0; c < TOGETHER; c++)
            s[c] = _mm512_dpbusd_epi32(s[c], _mm512_loadu_si512(w[c] + line * w_stride),
                                       _mm512_loadu_si512(x[c] + line * SAEI_LINE));
    _mm_storeu_si128((__m128i *)total, totals(s));
    for (size_t c = 0; c < TOGETHER && i + c < n; c++)
        sums[i + c] = total[c];
}

__attribute__((target(TILE_TARGET))) static void byte_dots(int32_t *sums, const saei_byte_pair *pairs,
                                                           size_t n, size_t n_lines, size_t w_stride)
{
    for (size_t i = 0; i < n; i += TOGETHER)
        byte_dots_from(sums, i, pairs, n, n_lines, w_stride);
}

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

const saei_screen_kernel saei_screen_avx512vnni = {"avx512vnni", wide, bytes, byte_dots, runs_here};

#endif
