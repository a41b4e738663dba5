/* Held-out confirmation: latents are chosen on one half of the prompts and tested on the other. */
#ifndef SAEI_CONFIRMATION_H
#define SAEI_CONFIRMATION_H

#include "diff/resample.h"

typedef struct saei_confirmation_options {
    size_t select;           /* at most so many latents are chosen on each half */
    sae_direction direction; /* chosen: the first by estimate among those that moved this way */
    saei_resampling resampling;
} saei_confirmation_options;

typedef struct saei_confirmation {
    double estimate, p;
} saei_confirmation;

/* out [n_latents], NaN for latents that are chosen on neither half. Each half chooses, and what it chose is
   tested on the other: one-sided permutation p in the direction in which the latent moved, Holm over the
   chosen of that half, doubled because there are two halves. The chance that a latent without a shift gets p
   ≤ α is at most α over all latents, whichever were chosen. A latent that both halves chose has the larger p
   and the estimate of the weaker test; it is confirmed only where both tests do. estimate is that of the half
   that tested. second [units]: the prompts of the second half (saei_split_prompts). A half without prompts on
   a side: NaN. */
sae_status saei_confirm(saei_confirmation *out, const saei_effects *effects, const bool *second,
                        const saei_confirmation_options *options, sae_error *err);

/* second [n_y + n_x]: by a hash of (seed, id), so that a prompt is in the same half on both sides and in
   every comparison with these prompts; the median of the hashes divides. Paired: y_id are the prompts, n_x =
   0. */
sae_status saei_split_prompts(bool *second, const double *y_id, size_t n_y, const double *x_id, size_t n_x,
                              uint64_t seed, sae_context *context, sae_error *err);

#endif
