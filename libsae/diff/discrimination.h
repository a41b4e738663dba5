/* How well latents and small sets of them tell bad models from good ones. */
#ifndef SAEI_DISCRIMINATION_H
#define SAEI_DISCRIMINATION_H

#include "diff/cases.h"

/* out [n_latents]: every latent of the list by itself; NULL: all of the model, out [latents]. */
sae_status saei_discriminate(sae_discrimination *out, const uint32_t *latents, size_t n_latents,
                             const saei_models *models, sae_error *err);

/* The mean activation of the listed latents as one score. SAE_E_ARGUMENT: none, or more than SAE_SET_MOST. */
sae_status saei_discriminate_set(sae_discrimination *out, const uint32_t *latents, size_t n_latents,
                                 const saei_models *models, sae_error *err);

/* Builds a set from the candidates, one after the other the latent that raises prompt_auroc of the set's mean
   most, until `most` (1 … SAE_SET_MOST) are in or none raises it. The held-out accuracies choose anew without
   what is left out; the other figures are in-sample, optimistic by the choice. O(candidates × most × folds ×
   cases). */
sae_status saei_discriminate_greedy(sae_discrimination *out, const uint32_t *candidates, size_t n_candidates,
                                    size_t most, const saei_models *models, sae_error *err);

#endif
