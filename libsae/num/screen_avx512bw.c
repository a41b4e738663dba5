#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define TILE_TARGET "avx512f,avx512bw"
#define WIDE_DOT(sum, w, x) ((sum) + (integers)_mm512_madd_epi16((__m512i)(w), (__m512i)(x)))
#include "num/screen_avx512.h"

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512bw");
}

const saei_screen_kernel saei_screen_avx512bw = {"avx512bw", wide, NULL, NULL, runs_here};

#endif
