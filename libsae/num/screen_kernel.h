/* The inner loop of screening: approximate scores of strips of rows against a panel of latents, of which only
   those leave the kernel that may be among the k largest of their row. */
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

/* |score − exact| ≤ per_norm · norm_j + per_error · error_j + constant. */
typedef struct saei_screen_bound {
    float per_norm, per_error, constant;
} saei_screen_bound;

/* The candidates of a row. */
typedef struct saei_screen_row {
    float threshold; /* candidates reach it with their upper bound; NaN: takes none */
    uint32_t n;
    float *lower, *upper; /* [n]; lower is -INFINITY unless surely above the floor */
    uint32_t *latent;     /* [n] ascending */
} saei_screen_row;

/* 16 rows side by side; rows have room for SAEI_PANEL more candidates. */
typedef struct saei_screen_strip {
    const char *packed;         /* as saei_fixed_interleave; bytes are signed */
    int32_t offset[SAEI_STRIP]; /* to be taken off the sums: 128 times the sum of a row's bytes */
    float unit[SAEI_STRIP], per_norm[SAEI_STRIP], per_error[SAEI_STRIP], constant[SAEI_STRIP];
    float threshold[SAEI_STRIP];
    saei_screen_row *rows;
    uint32_t fullest; /* at least the n of each row */
} saei_screen_strip;

/* Appends candidates of the panel to the rows of n <= SAEI_STRIPS_AT_ONCE strips, whose packed rows follow
   each other. The error of a latent is its `coarse` one. */
typedef void (*saei_screen_tile_fn)(saei_screen_strip *strips, size_t n, const saei_screen_panel *panel);

/* A latent in bytes, 128 added to each. */
typedef struct saei_byte_latent {
    const char *high; /* [n_lines] lines, SAEI_PANEL lines from one to the next */
    const char *low;  /* [n_lines] lines */
} saei_byte_latent;

/* dots = Σ h h', Σ (l h' + h l'), Σ l l' with what is added to the latent's; row [n_lines, high and low
   line], signed. */
typedef void (*saei_byte_dots_fn)(int32_t dots[3], saei_byte_latent latent, const char *row, size_t n_lines);

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

static inline void saei_screen_row_push(saei_screen_row *row, uint32_t latent, float lower, float upper,
                                        float floor)
{
    row->lower[row->n] = lower > floor ? lower : -__builtin_inff();
    row->upper[row->n] = upper;
    row->latent[row->n++] = latent;
}

static inline void saei_screen_push(saei_screen_strip *strip, size_t row, uint32_t latent, float lower,
                                    float upper, float floor)
{
    saei_screen_row_push(strip->rows + row, latent, lower, upper, floor);
    strip->fullest = strip->rows[row].n > strip->fullest ? strip->rows[row].n : strip->fullest;
}

#endif
