/* ReLU with an L1 penalty (Bricken et al. 2023, "Towards Monosemanticity"; decoder norms: Conerly et al.
   2024, "Update on how we train SAEs"): f = relu(pre);  loss = Σ‖e‖² / B + λ Σ f_j n_j / B,   n_j =
   ‖w_dec,j‖, or 1. */
#include "train/architecture.h"

static void backward(const saei_latent_entries *entries, saei_latent_sums *sums, const saei_latent *latent,
                     const saei_penalty *penalty)
{
    bool by_norm = penalty->kind == SAE_SPARSITY_L1_DECODER_NORM;
    float norm = by_norm ? latent->decoder_norm : 1.0f, slope = penalty->weight * norm;
    double sum = 0.0;
    for (size_t i = 0; i < entries->n; i++) {
        bool on = entries->value[i] > 0.0f;
        entries->value[i] = on ? entries->value[i] : 0.0f;
        entries->g[i] = on ? entries->g[i] + slope : 0.0f;
        sums->pre += (double)entries->g[i];
        sum += (double)entries->value[i];
        sums->active += on;
    }
    sums->b_enc = sums->pre;
    sums->sparsity = sum * (double)norm;
    sums->decoder_norm = by_norm ? (double)penalty->weight * sum : 0.0;
}

const saei_architecture saei_relu_architecture = {
    .name = "relu",
    .selection = SAEI_SELECT_ABOVE_FLOOR,
    .backward = backward,
};
