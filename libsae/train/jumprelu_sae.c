/* JumpReLU (Rajamanoharan et al. 2024b, arXiv 2407.14435):
       f = pre · [pre > θ_j];  loss = Σ‖e‖² / B + S,
       step        S = λ Σ [pre > θ_j] / B
       tanh        S = λ Σ tanh(4 f_j ‖w_dec,j‖) / B            (Anthropic, January 2025 update)
       target L0   S = λ (L0 / L0* − 1)²,  L0 = Σ [pre > θ_j] / B
   and, where pre_act_coefficient c is given, + c Σ relu(θ_j − pre) ‖w_dec,j‖ / B over the dead latents
   (Anthropic, January 2025 update; of all latents there, of the dead as in SAELens), for which all their rows
   are entries. The thresholds learn through a straight-through estimator with the rectangle kernel of width
   ε, ∂f/∂θ = −(θ/ε) rect((pre − θ)/ε),   ∂[pre > θ]/∂θ = −(1/ε) rect((pre − θ)/ε),   rect = 1 on (−½, ½), so
   entries a little below their threshold matter too: the floor is θ − ε/2. dictionary_learning counts L0 = Σ
   [f > θ_j] / B, the same number with ∂[f > θ]/∂θ = −(1/ε) rect((f − θ)/ε): the codes of 0 of all silent rows
   are within ε/2 of a threshold below ε/2, and of no other. */
#include "train/architecture.h"

#include <math.h>

enum { THRESHOLD = 0 };

static void floors(float *floor, const saei_parameters *p, const saei_penalty *penalty)
{
    for (size_t j = 0; j < p->n_latents; j++)
        floor[j] = p->extra[THRESHOLD][j] - 0.5f * penalty->bandwidth;
}

static float activate(float pre, const saei_parameters *p, size_t latent)
{
    return pre > p->extra[THRESHOLD][latent] ? pre : 0.0f;
}

/* How much of −ε ∂(penalty)/∂θ an entry adds that is within ε/2 of its threshold. */
static double step_weight(const saei_penalty *penalty, bool on)
{
    if (penalty->kind == SAE_SPARSITY_TANH)
        return 0.0;
    return penalty->kind == SAE_SPARSITY_TARGET_L0_CODES && !on ? 0.0 : (double)penalty->weight;
}

/* The same of all rows on which the latent is silent. */
static double silence_weight(const saei_penalty *penalty, float theta, size_t active)
{
    bool within = saei_penalty_sees_silence(penalty->kind) && theta < 0.5f * penalty->bandwidth;
    return within ? (double)penalty->weight * (double)(penalty->rows - active) : 0.0;
}

/* The loss on a pre-activation of a dead latent that is below its threshold. */
static void pull_up(float *g, saei_latent_sums *sums, float pre, const saei_latent *latent,
                    const saei_penalty *penalty)
{
    double below = (double)latent->extra[THRESHOLD] - (double)pre, norm = (double)latent->decoder_norm;
    double weight = (double)penalty->pre_act;
    *g -= (float)(weight * norm);
    sums->extra[THRESHOLD] += weight * norm;
    sums->decoder_norm += weight * below;
    sums->pre_act += below * norm;
}

static void backward(const saei_latent_entries *entries, saei_latent_sums *sums, const saei_latent *latent,
                     const saei_penalty *penalty)
{
    const float theta = latent->extra[THRESHOLD], width = penalty->bandwidth;
    const bool tanh_penalty = penalty->kind == SAE_SPARSITY_TANH;
    for (size_t i = 0; i < entries->n; i++) {
        float pre = entries->value[i], g = entries->g[i];
        bool on = pre > theta, near = fabsf(pre - theta) < 0.5f * width;
        if (tanh_penalty) {
            double f = on ? (double)pre : 0.0, t = tanh(4.0 * f * (double)latent->decoder_norm);
            double slope = 4.0 * (double)penalty->weight * (1.0 - t * t);
            g += (float)(slope * (double)latent->decoder_norm);
            sums->decoder_norm += slope * f;
            sums->sparsity += t;
        } else {
            sums->sparsity += on ? 1.0 : 0.0;
        }
        if (near)
            sums->extra[THRESHOLD] -= ((double)theta * (double)g + step_weight(penalty, on)) / (double)width;
        entries->value[i] = on ? pre : 0.0f;
        entries->g[i] = on ? g : 0.0f;
        if (latent->dead && penalty->pre_act > 0.0f && pre < theta)
            pull_up(&entries->g[i], sums, pre, latent, penalty);
        sums->pre += (double)entries->g[i];
        sums->active += on;
    }
    sums->extra[THRESHOLD] -= silence_weight(penalty, theta, sums->active) / (double)width;
    sums->b_enc = sums->pre;
}

const saei_architecture saei_jumprelu_architecture = {
    .name = "jumprelu",
    .selection = SAEI_SELECT_ABOVE_FLOOR,
    .n_extra = 1,
    .extra_names = {"threshold"},
    .floors = floors,
    .activate = activate,
    .backward = backward,
};
