#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include "num/screen_avx256.h"

#include <cpuid.h>

#define TILE_TARGET "avx2,avxvnni"
#define TILE_DOT(sum, a, b) ((integers)_mm256_dpwssd_avx_epi32((__m256i)(sum), (__m256i)(a), (__m256i)(b)))

#define TILE_NAME tile
#define TILE_ROWS 6
#include "num/screen_tile.h"

#define TILE_NAME few_rows
#define TILE_ROWS SAEI_FEW_ROWS
#include "num/screen_tile.h"

static bool runs_here(void)
{
    unsigned a, b, c, d;
    /* __builtin_cpu_supports of older compilers does not know it: leaf 7.1, EAX bit 4. */
    return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1) != 0;
}

const saei_screen_kernel saei_screen_avxvnni = {"avxvnni", 6, tile, few_rows, runs_here};

#endif
