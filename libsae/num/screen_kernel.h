/* The inner loop of screening: approximate scores of a block of rows against a panel of latents, of which
   only those leave the registers that may be among the k largest of their row. */
#ifndef SAEI_SCREEN_KERNEL_H
#define SAEI_SCREEN_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A panel is two strips of saei_fixed_pack. Rows come in blocks of the kernel's width and then of 4. */
enum { SAEI_STRIP = 16, SAEI_PANEL = 2 * SAEI_STRIP, SAEI_FEW_ROWS = 4 };

/* Places behind a row's candidates that a kernel may write to: a panel, and the rest of a vector. */
enum { SAEI_ROOM = SAEI_PANEL + 16 };

typedef struct saei_screen_panel {
    const int16_t *strips; /* [2, pairs, SAEI_STRIP, 2] */
    size_t pairs;
    const float *unit, *norm, *error, *bias, *floor; /* [SAEI_PANEL]; bias NaN: no such latent */
    uint32_t first;                                  /* latent of the panel's first vector */
} saei_screen_panel;

/* A row and its candidates. |score − exact| ≤ per_norm · norm_j + per_error · error_j + constant. */
typedef struct saei_screen_row {
    float unit, per_norm, per_error, constant;
    float threshold; /* candidates reach it with their upper bound; NaN: takes none */
    uint32_t n;
    float *lower, *upper; /* [n]; lower is -INFINITY unless surely above the floor */
    uint32_t *latent;     /* [n] ascending */
} saei_screen_row;

/* Appends candidates of the panel to each of the rows; these must have room for SAEI_ROOM more. strip
   [pairs, width, 2], width the number of rows. */
typedef void (*saei_screen_tile_fn)(saei_screen_row *rows, const int16_t *strip,
                                    const saei_screen_panel *panel);

typedef struct saei_screen_kernel {
    const char *name;
    size_t width;
    saei_screen_tile_fn tile, few_rows;
    bool (*runs_here)(void);
} saei_screen_kernel;

extern const saei_screen_kernel saei_screen_portable;
#if defined(__x86_64__) && defined(__GNUC__)
extern const saei_screen_kernel saei_screen_sse2, saei_screen_avx2, saei_screen_avxvnni, saei_screen_avx512bw,
    saei_screen_avx512vnni;
#endif

/* Kernels that run on this machine, the fastest first; NULL after the last. All give the same bits. */
const saei_screen_kernel *saei_screen_kernel_at(size_t i);

static inline void saei_screen_push(saei_screen_row *row, uint32_t latent, float lower, float upper,
                                    float floor)
{
    row->lower[row->n] = lower > floor ? lower : -__builtin_inff();
    row->upper[row->n] = upper;
    row->latent[row->n++] = latent;
}

#endif
