#include "num/screen_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include "num/screen_avx512.h"

#define TILE_TARGET "avx512f,avx512bw"
#define TILE_DOT(sum, a, b) ((sum) + (integers)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))

#define TILE_NAME tile
#define TILE_ROWS 14
#include "num/screen_tile.h"

#define TILE_NAME few_rows
#define TILE_ROWS SAEI_FEW_ROWS
#include "num/screen_tile.h"

static bool runs_here(void)
{
    return __builtin_cpu_supports("avx512bw");
}

const saei_screen_kernel saei_screen_avx512bw = {"avx512bw", 14, tile, few_rows, runs_here};

#endif
