/* p-anneal (Karvonen et al. 2024, arXiv 2408.00113): ReLU with
       loss = Σ‖e‖² / B + λ Σ f^p / B,   or   + λ Σ_r (Σ_j f_rj^p)^(1/p) / B   (dictionary_learning;
   row_powers.h) where p falls from 1 in equal steps; at each, λ is multiplied by what the sum was over what
   it becomes on the batch, so that the penalty goes on where it was (schedule.h). */
#include "train/architecture.h"

#include <math.h>

/* f^(p−1) has no bound at 0: an activation below this is given the slope at it. */
static const float slope_floor = 1e-6f;

/* ∂(Σ f^p)/∂f is this times f^(p − 1), and so is that of a root. */
static float slope_of(const saei_latent_entries *entries, const saei_penalty *penalty, size_t i)
{
    if (penalty->kind != SAE_SPARSITY_LP_ROOT)
        return penalty->p;
    return entries->row_slope[entries->row != NULL ? entries->row[i] : i];
}

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
        entries->g[i] += penalty->weight * slope_of(entries, penalty, i) * powf(at, penalty->p - 1.0f);
        sums->pre += (double)entries->g[i];
        sums->active++;
        if (penalty->kind == SAE_SPARSITY_LP_ROOT)
            continue;
        sums->sparsity += pow((double)f, (double)penalty->p);
        sums->sparsity_next += pow((double)f, (double)penalty->p_next);
    }
    sums->b_enc = sums->pre;
}

const saei_architecture saei_p_anneal_architecture = {
    .name = "p_anneal",
    .selection = SAEI_SELECT_ABOVE_FLOOR,
    .backward = backward,
};
