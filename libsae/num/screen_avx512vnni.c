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

static void bytes(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel)
{
    multiply_and_test(strips, n, panel, bytes_of_one, bytes_of_two);
}

__attribute__((target(TILE_TARGET))) static void byte_dots(int32_t dots[3], saei_byte_latent w,
                                                           const char *row, size_t n_lines)
{
    __m512i hh = _mm512_setzero_si512(), lh = hh, hl = hh, ll = hh;
    for (size_t i = 0; i < n_lines; i++) {
        __m512i w_high = _mm512_loadu_si512(w.high + i * SAEI_PANEL * SAEI_LINE);
        __m512i w_low = _mm512_loadu_si512(w.low + i * SAEI_LINE);
        __m512i high = _mm512_loadu_si512(row + 2 * i * SAEI_LINE);
        __m512i low = _mm512_loadu_si512(row + (2 * i + 1) * SAEI_LINE);
        hh = _mm512_dpbusd_epi32(hh, w_high, high);
        lh = _mm512_dpbusd_epi32(lh, w_low, high);
        hl = _mm512_dpbusd_epi32(hl, w_high, low);
        ll = _mm512_dpbusd_epi32(ll, w_low, low);
    }
    dots[0] = _mm512_reduce_add_epi32(hh);
    dots[1] = _mm512_reduce_add_epi32(_mm512_add_epi32(lh, hl));
    dots[2] = _mm512_reduce_add_epi32(ll);
}

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

const saei_screen_kernel saei_screen_avx512vnni = {"avx512vnni", wide, bytes, byte_dots, runs_here};

#endif
