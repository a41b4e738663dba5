/* Gated (Rajamanoharan et al. 2024a, arXiv 2404.16014). With z = xc · w_enc,
       π = z + b_enc (the gate),   f = [π > 0] relu(exp(r_mag) z + b_mag),
       loss = Σ‖e‖² / B + λ Σ relu(π_j) n_j / B + Σ‖x − relu(π) W_dec − b_dec‖² / B,   n_j = ‖w_dec,j‖ or 1.
   The gate learns from the last two terms alone; dictionary_learning keeps the decoder out of the last one.
 */
#include "train/architecture.h"

#include <math.h>

enum { R_MAG = 0, B_MAG = 1 };

static float activate(float pre, const saei_parameters *p, size_t j)
{
    float magnitude = expf(p->extra[R_MAG][j]) * (pre - p->b_enc[j]) + p->extra[B_MAG][j];
    return pre > 0.0f && magnitude > 0.0f ? magnitude : 0.0f;
}

static void backward(const saei_latent_entries *entries, saei_latent_sums *sums, const saei_latent *latent,
                     const saei_penalty *penalty)
{
    bool by_norm = penalty->kind == SAE_SPARSITY_L1_DECODER_NORM;
    const float norm = by_norm ? latent->decoder_norm : 1.0f, slope = penalty->weight * norm;
    const float gain = expf(latent->extra[R_MAG]);
    double open = 0.0;
    for (size_t i = 0; i < entries->n; i++) {
        float gate = entries->value[i], z = gate - latent->b_enc;
        float magnitude = gain * z + latent->extra[B_MAG];
        bool on = gate > 0.0f, fires = on && magnitude > 0.0f;
        float g_magnitude = fires ? entries->g[i] : 0.0f, g_gate = on ? entries->gate_g[i] + slope : 0.0f;
        entries->value[i] = fires ? magnitude : 0.0f;
        entries->gate_value[i] = on ? gate : 0.0f;
        entries->g[i] = g_magnitude * gain + g_gate;
        sums->pre += (double)entries->g[i];
        sums->b_enc += (double)g_gate;
        sums->extra[R_MAG] += (double)g_magnitude * (double)gain * (double)z;
        sums->extra[B_MAG] += (double)g_magnitude;
        open += (double)entries->gate_value[i];
        sums->active += fires;
    }
    sums->sparsity = open * (double)norm;
    sums->decoder_norm = by_norm ? (double)penalty->weight * open : 0.0;
}

const saei_architecture saei_gated_architecture = {
    .name = "gated",
    .selection = SAEI_SELECT_ABOVE_FLOOR,
    .n_extra = 2,
    .extra_names = {"r_mag", "b_mag"},
    .gated = true,
    .activate = activate,
    .backward = backward,
};
