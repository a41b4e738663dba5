/* Bootstrap draws of some latents at a time, and what is made of them. */
#ifndef SAEI_BOOTSTRAP_H
#define SAEI_BOOTSTRAP_H

#include "diff/draws.h"
#include "diff/resample.h"

/* The estimate of each latent in each draw with its standard error there (as sae_contrast.se, of the drawn
   prompts; 0 where they are all equal). */
typedef struct saei_bootstrap {
    const saei_effects *effects;
    const saei_resampling *resampling;
    saei_draws draws;
    double *squares;            /* [threads, units] */
    size_t capacity;            /* latents that the tables hold */
    double *estimate, *se;      /* [capacity, resampling->draws] */
    uint64_t reported, to_come; /* latents before, and of, all calls of saei_bootstrap_fill: for progress */
    /* The present call: */
    const uint32_t *latents;
    size_t n_latents, n_blocks;
    uint64_t done; /* draws before the present group of blocks */
} saei_bootstrap;

/* For resampling->draws ≥ 1. n_latents: how many will be filled in all. Release in every case. */
sae_status saei_bootstrap_alloc(saei_bootstrap *bootstrap, const saei_effects *effects, size_t n_latents,
                                const saei_resampling *resampling, sae_error *err);
void saei_bootstrap_release(saei_bootstrap *bootstrap);

/* Row i of the tables becomes that of latents[i]; n ≤ capacity. SAE_STOPPED when progress says so. */
sae_status saei_bootstrap_fill(saei_bootstrap *bootstrap, const uint32_t *latents, size_t n, sae_error *err);

#endif
