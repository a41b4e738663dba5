/* Labels told by latents, or by weighted sums of latents. */
#ifndef SAEI_DESCRIBE_H
#define SAEI_DESCRIBE_H

#include "sae/apply.h"

/* Where the activations of each latent are counted. */
typedef struct saei_places {
    size_t n;              /* places */
    const uint32_t *place; /* [F] 1 + index of the place; 0: nowhere */
    const double *weight;  /* [F] of an activation in its place; NULL: 1 */
} saei_places;

/* sae_model_describe for places: out [n_labels, places->n]. At least one of each. */
sae_status saei_describe(sae_auroc_result *out, const sae_model *model, const sae_dump *dump,
                         const sae_label *labels, size_t n_labels, const saei_places *places,
                         sae_progress_fn progress, void *user, sae_error *err);

#endif
