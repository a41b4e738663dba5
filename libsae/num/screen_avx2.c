#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include "num/screen_avx256.h"

#define TILE_TARGET "avx2"
#define TILE_DOT(sum, a, b) ((sum) + (integers)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))

#define TILE_NAME tile
#define TILE_ROWS 6
#include "num/screen_tile.h"

#define TILE_NAME few_rows
#define TILE_ROWS SAEI_FEW_ROWS
#include "num/screen_tile.h"

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx2");
}

const saei_screen_kernel saei_screen_avx2 = {"avx2", 6, tile, few_rows, runs_here};

#endif
