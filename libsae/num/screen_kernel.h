/* The inner loop of screening: approximate scores of strips of rows against a panel of latents, of which only
   those leave the kernel that may be among the k largest of their row: its hits. */
#ifndef SAEI_SCREEN_KERNEL_H
#define SAEI_SCREEN_KERNEL_H

#include "num/fixed_point.h"

#include <stdbool.h>

/* Rows of a strip, latents of a panel. A kernel takes a strip or two. */
enum { SAEI_STRIP = 16, SAEI_PANEL = 12, SAEI_STRIPS_AT_ONCE = 2 };

/* Wide numbers, or the high bytes, to which 128 is added. */
typedef struct saei_screen_panel {
    const char *lines; /* [n_lines, SAEI_PANEL, SAEI_LINE] */
    size_t n_lines;
    const saei_fixed_bounds *latents; /* [SAEI_PANEL] */
    const float *bias, *floor;        /* [SAEI_PANEL]; bias NaN: no such latent */
    uint32_t first;                   /* latent */
} saei_screen_panel;

/* No latents: nothing hits. */
extern const saei_screen_panel saei_screen_no_panel;

/* 16 rows side by side. */
typedef struct saei_screen_strip {
    /* To be taken off the sums: 128 times the sum of a row's bytes. */
    _Alignas(SAEI_LINE) int32_t offset[SAEI_STRIP];
    float unit[SAEI_STRIP], per_norm[SAEI_STRIP], per_error[SAEI_STRIP], constant[SAEI_STRIP];
    float threshold[SAEI_STRIP]; /* what upper bounds must reach; NaN: nothing does */
    const char *packed;          /* as saei_fixed_interleave; bytes are signed */
    uint32_t first;              /* row */
} saei_screen_strip;

/* A row and a latent whose upper bound reaches the row's threshold and the latent's floor. */
typedef struct saei_screen_hit {
    uint32_t row, latent;
    int32_t sum;   /* of products, the offset taken off */
    int32_t mixed; /* sum of products of high and low bytes, for who looks again */
} saei_screen_hit;

/* What a call of a kernel may find, and room for some such calls. */
enum {
    SAEI_HITS_OF_TILE = SAEI_STRIPS_AT_ONCE * SAEI_STRIP * SAEI_PANEL,
    SAEI_HITS_MAX = 2 * SAEI_HITS_OF_TILE
};

typedef struct saei_screen_hits {
    size_t n;
    saei_screen_hit at[SAEI_HITS_MAX + 1]; /* one to be overwritten */
} saei_screen_hits;

/* Rows of as many lines as a panel has, which will be wanted soon. */
enum { SAEI_ROWS_AHEAD = 10 };

/* n <= SAEI_STRIPS_AT_ONCE strips, whose packed rows follow each other. */
typedef struct saei_screen_tile {
    const saei_screen_strip *strips;
    size_t n;
    const char *ahead[SAEI_ROWS_AHEAD];
} saei_screen_tile;

/* Products of a panel with a tile. */
typedef struct saei_screen_sums {
    _Alignas(SAEI_LINE) int32_t at[SAEI_STRIPS_AT_ONCE][SAEI_PANEL * SAEI_STRIP];
    const saei_screen_panel *panel;
} saei_screen_sums;

/* Multiplies the panel of `now` with the tile. Meanwhile it looks for the hits of the panel before, since
   products leave the units that add and compare idle, and lets the rows ahead come into the second-level
   cache. Hits are appended, those of a row in the order of latents; the error of a latent is its `coarse`
   one. */
typedef void (*saei_screen_tile_fn)(const saei_screen_tile *tile, saei_screen_sums *now,
                                    const saei_screen_sums *before, saei_screen_hits *hits);

/* Two vectors of bytes, those of w unsigned. */
typedef struct saei_byte_pair {
    const char *w, *x;
} saei_byte_pair;

/* sums [n]: Σ w_i x_i of each pair, n_lines lines long; w_stride bytes from one line of w to the next, the
   lines of x follow each other. */
typedef void (*saei_byte_dots_fn)(int32_t *sums, const saei_byte_pair *pairs, size_t n, size_t n_lines,
                                  size_t w_stride);

typedef struct saei_screen_kernel {
    const char *name;
    saei_screen_tile_fn wide, bytes; /* bytes NULL: not at twice the speed here */
    saei_byte_dots_fn byte_dots;     /* with bytes */
    bool (*runs_here)(void);
} saei_screen_kernel;

extern const saei_screen_kernel saei_screen_portable;
#if defined(__x86_64__) && defined(__GNUC__)
extern const saei_screen_kernel saei_screen_sse2, saei_screen_avx2, saei_screen_avxvnni, saei_screen_avx512bw,
    saei_screen_avx512vnni;
#endif

/* Kernels that run on this machine, the fastest first; NULL after the last. All give the same bits. */
const saei_screen_kernel *saei_screen_kernel_at(size_t i);

static inline void saei_screen_fetch_ahead(const saei_screen_tile *tile, size_t line)
{
    enum { FOR_READING = 0, INTO_SECOND_LEVEL = 2 };
#pragma GCC unroll 16
    for (size_t i = 0; i < SAEI_ROWS_AHEAD; i++)
        __builtin_prefetch(tile->ahead[i] + line * SAEI_LINE, FOR_READING, INTO_SECOND_LEVEL);
}

/* Words of 64 bits with one for each sum of a panel and a strip. */
enum { SAEI_FOUND_WORDS = SAEI_PANEL * SAEI_STRIP / 64 };

/* Writes the hit of a panel's sum at `at`. */
static inline void saei_screen_put_hit(saei_screen_hit *hit, uint32_t at, const int32_t *sums,
                                       const saei_screen_strip *strip, const saei_screen_panel *panel)
{
    uint32_t r = at % SAEI_STRIP;
    *hit =
        (saei_screen_hit){strip->first + r, panel->first + at / SAEI_STRIP, sums[at] - strip->offset[r], 0};
}

/* Bit 16 l + r of `found` tells whether row r of the strip hits latent l of the panel. sums [SAEI_PANEL]
   [SAEI_STRIP]. How many bits a word has cannot be foreseen, but they are rarely more than two: so many are
   written without a branch, and overwritten where there was none. */
static inline void saei_screen_add_hits(saei_screen_hits *hits, const uint64_t found[SAEI_FOUND_WORDS],
                                        const int32_t *sums, const saei_screen_strip *strip,
                                        const saei_screen_panel *panel)
{
    const uint64_t last = (uint64_t)1 << 63;
    for (uint32_t i = 0; i < SAEI_FOUND_WORDS; i++) {
        uint64_t bits = found[i];
        for (int first = 0; first < 2; first++, bits &= bits - 1) {
            uint32_t at = 64 * i + (uint32_t)__builtin_ctzll(bits | last);
            saei_screen_put_hit(hits->at + hits->n, at, sums, strip, panel);
            hits->n += bits != 0;
        }
        for (; bits != 0; bits &= bits - 1)
            saei_screen_put_hit(hits->at + hits->n++, 64 * i + (uint32_t)__builtin_ctzll(bits), sums, strip,
                                panel);
    }
}

#endif
