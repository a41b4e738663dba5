#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx512f,avx512vnni"
#define WIDE_DOT(sum, w, x) ((integers)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(w), (__m512i)(x)))
#include "num/screen_avx512.h"

#define BYTES_DOT(sum, w, x) ((integers)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(w), (__m512i)(x)))

#define PRODUCT_NAME bytes_of_one
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 1
#define PRODUCT_DOT BYTES_DOT
#include "num/screen_product.h"

#define PRODUCT_NAME bytes_of_two
#define PRODUCT_LATENTS 12
#define PRODUCT_VECTORS 2
#define PRODUCT_DOT BYTES_DOT
#include "num/screen_product.h"

static void bytes(const saei_screen_strip *strips, size_t n, const saei_screen_panel *panel,
                  saei_screen_hits *hits)
{
    multiply_and_test(hits, strips, n, panel, bytes_of_one, bytes_of_two);
}

__attribute__((target(TILE_TARGET))) static inline void add_line(__m512i *sum, const char *w, const char *x)
{
    *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(w), _mm512_loadu_si512(x));
}

/* Four sums, for each is to wait for its last product. */
__attribute__((target(TILE_TARGET))) static int32_t byte_dot(saei_lines w, saei_lines x, size_t n_lines)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 4 <= n_lines; i += 4, w.first += 4 * w.stride, x.first += 4 * x.stride) {
        add_line(&a, w.first, x.first);
        add_line(&b, w.first + w.stride, x.first + x.stride);
        add_line(&c, w.first + 2 * w.stride, x.first + 2 * x.stride);
        add_line(&d, w.first + 3 * w.stride, x.first + 3 * x.stride);
    }
    for (; i < n_lines; i++, w.first += w.stride, x.first += x.stride)
        add_line(&a, w.first, x.first);
    return _mm512_reduce_add_epi32(_mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d)));
}

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

const saei_screen_kernel saei_screen_avx512vnni = {"avx512vnni", wide, bytes, byte_dot, runs_here};

#endif
