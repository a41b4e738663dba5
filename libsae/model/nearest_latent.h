/* The decoder row closest to a direction. */
#ifndef SAEI_NEAREST_LATENT_H
#define SAEI_NEAREST_LATENT_H

#include "sae/model.h"

typedef struct saei_nearest {
    uint32_t latent; /* ties to the lowest */
    float cosine;    /* -1 … 1; -INFINITY when the direction, or every decoder row, has length 0 */
} saei_nearest;

/* out [n]: for each of the directions [n, d], of any length, the latent whose decoder row has the largest
   cosine with it. O(n F d) time; memory for n directions, and n results for each thread. stage: for the
   progress, which may be NULL. Errors: SAE_E_MEMORY, SAE_STOPPED. */
sae_status saei_nearest_latents(saei_nearest *out, const sae_model *model, const float *directions, size_t n,
                                const char *stage, sae_progress_fn progress, void *user, sae_error *err);

/* there [n]: what is closest to the directions in other; back [n]: what is closest to those latents in model,
   the model that the directions are from. SAE_E_MISMATCH: the models differ in width. */
sae_status saei_nearest_both_ways(saei_nearest *there, saei_nearest *back, const float *directions, size_t n,
                                  const sae_model *model, const sae_model *other, sae_progress_fn progress,
                                  void *user, sae_error *err);

/* returns: the way back ended where it began. */
sae_match saei_match_of(saei_nearest there, bool returns);

#endif
