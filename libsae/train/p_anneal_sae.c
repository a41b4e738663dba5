/* p-anneal (Karvonen et al. 2024, arXiv 2408.00113): ReLU with
       loss = Σ‖e‖² / B + λ Σ f^p / B,
   where p falls from 1 in equal steps; at each, λ is multiplied by Σ f^p / Σ f^p_next of the batch, so that
   the penalty goes on where it was (schedule.h). */
#include "train/architecture.h"

#include <math.h>

/* f^(p−1) has no bound at 0: an activation below this is given the slope at it. */
static const float slope_floor = 1e-6f;

static void backward(const saei_latent_entries *entries, saei_latent_sums *sums, const saei_latent *latent,
                     const saei_penalty *penalty)
{
    (void)latent;
    for (size_t i = 0; i < entries->n; i++) {
        float f = entries->value[i];
        if (!(f > 0.0f)) {
            entries->value[i] = entries->g[i] = 0.0f;
            continue;
        }
        float at = f > slope_floor ? f : slope_floor;
        entries->g[i] += penalty->weight * penalty->p * powf(at, penalty->p - 1.0f);
        sums->pre += (double)entries->g[i];
        sums->sparsity += pow((double)f, (double)penalty->p);
        sums->sparsity_next += pow((double)f, (double)penalty->p_next);
        sums->active++;
    }
    sums->b_enc = sums->pre;
}

const saei_architecture saei_p_anneal_architecture = {
    .name = "p_anneal",
    .selection = SAEI_SELECT_ABOVE_FLOOR,
    .backward = backward,
};
