/* Blocks of random weightings of units. */
#ifndef SAEI_DRAWS_H
#define SAEI_DRAWS_H

#include "diff/effects.h"

typedef enum saei_draw_kind { SAEI_DRAW_PERMUTE, SAEI_DRAW_BOOTSTRAP } saei_draw_kind;

/* Latents that go through a block of draws together. */
enum { SAEI_TILE_LATENTS = 8 };

/* Up to `capacity` successive blocks of 64 draws, as weights [units, 64] each. */
typedef struct saei_draws {
    const saei_effects *effects;
    saei_draw_kind kind;
    uint64_t seed;
    size_t capacity, units;
    double *weights;    /* [capacity, units, 64] */
    uint32_t *shuffled; /* [threads, units] */
} saei_draws;

sae_status saei_draws_alloc(saei_draws *draws, const saei_effects *effects, saei_draw_kind kind,
                            uint64_t seed, sae_error *err);
void saei_draws_release(saei_draws *draws);

/* Makes blocks first .. first + n - 1 (n ≤ capacity), in parallel. */
void saei_draws_make(saei_draws *draws, uint64_t first, size_t n);

static inline const double *saei_draws_block(const saei_draws *draws, size_t i)
{
    return draws->weights + i * draws->units * 64;
}

#endif
