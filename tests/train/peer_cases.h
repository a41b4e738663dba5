/* Small cases worked out by hand, of the kind that SAELens, dictionary_learning and sparsify test themselves
   with: each derivation stands beside its numbers. Nearly all numbers are exact in float32. */
#ifndef PEER_CASES_H
#define PEER_CASES_H

#include <stddef.h>

/* BatchTopK of 2 rows and 4 latents. k = 3/2 keeps 3/2 · 2 = 3 codes of the batch: 2, 3/2 and 1, so that one
   row has two and the other one. The least kept code, from which thresholds are estimated, is 1.

   k = 4 would keep 8, but only 6 pre-activations are positive: those, and no negative one. */
enum { BATCHTOPK_ROWS = 2, BATCHTOPK_LATENTS = 4, BATCHTOPK_KEPT = 3, BATCHTOPK_POSITIVE = 6 };
static const double batchtopk_k = 1.5, batchtopk_large_k = 4.0, batchtopk_least_kept = 1.0;
static const float batchtopk_pre[8] = {1.0f, -0.5f, 0.25f, 2.0f, 0.75f, 1.5f, -2.0f, 0.5f};
static const float batchtopk_codes[8] = {1.0f, 0.0f, 0.0f, 2.0f, 0.0f, 1.5f, 0.0f, 0.0f};
static const float batchtopk_large_codes[8] = {1.0f, 0.0f, 0.25f, 2.0f, 0.75f, 1.5f, 0.0f, 0.5f};

/* Matryoshka with d = 1, two latents, prefixes 1 and 2, one row x = 3; b_dec = 1, so xc = 2; W_enc = (1/2,
   1/4) and b_enc = 0, so f = (1, 1/2); W_dec = (1, 1).

   Prefix 1: x̂ = 1 + 1 = 2, e = 1. Prefix 2: x̂ = 2 + 1/2, e = 1/2. Σ e² = 1 + 1/4 with the weights 1 of
   SAELens; with the weights 1/n, n = 2, half of it. dictionary_learning also takes the mean over the n
   weighted terms: with its default weights 1/n a quarter.

   Gradients of the sum: ∂/∂x̂_g = −2 e_g = (−2, −1).

   W_dec,1 is in both prefixes: f_1 (−2 − 1) = −3; W_dec,2 in the second: f_2 (−1) = −1/2.

   b_enc: −3 and −1, through W_dec = 1. W_enc = xc times that: −6 and −2.

   b_dec: −2 − 1 on the way out, minus Σ_j (∂/∂pre_j) W_enc,j on the way in: −3 − (−3/2 − 1/4) = −5/4. */
enum { MATRYOSHKA_LATENTS = 2, MATRYOSHKA_GROUPS = 2 };
static const size_t matryoshka_prefix[2] = {1, 2};
static const float matryoshka_x = 3.0f, matryoshka_b_dec = 1.0f;
static const float matryoshka_W_enc[2] = {0.5f, 0.25f}, matryoshka_b_enc[2] = {0.0f, 0.0f};
static const float matryoshka_W_dec[2] = {1.0f, 1.0f}, matryoshka_codes[2] = {1.0f, 0.5f};
static const double matryoshka_loss_sum = 1.25, matryoshka_loss_weighted = 0.625;
static const double matryoshka_loss_weighted_mean = 0.3125;
static const double matryoshka_grad_W_dec[2] = {-3.0, -0.5}, matryoshka_grad_b_enc[2] = {-3.0, -1.0};
static const double matryoshka_grad_W_enc[2] = {-6.0, -2.0}, matryoshka_grad_b_dec = -1.25;

/* JumpReLU with d = 2, x = (0.3, 0.3), all weights 1 and biases 0: pre = 0.6 for each of the three latents.
   Only θ = 1 is not passed; x̂ = 0.6 + 0.6 in both columns. */
enum { JUMPRELU_D = 2, JUMPRELU_LATENTS = 3 };
static const float jumprelu_x[2] = {0.3f, 0.3f}, jumprelu_threshold[3] = {1.0f, 0.5f, 0.25f};
static const float jumprelu_codes[3] = {0.0f, 0.6f, 0.6f}, jumprelu_xhat[2] = {1.2f, 1.2f};

/* Straight-through estimators of one latent on six rows, θ = 1/2, bandwidth ε = 1/4, g the gradient from
   above. The window is the open interval (3/8, 5/8): rows 0 and 1 are in it, rows 4 and 5 on its ends and so
   outside.

   Jump = pre H(pre − θ): ∂θ = −(θ/ε) Σ_window g = −2 (1 + 2); ∂pre = g where pre > θ (rows 1, 2, 5).

   Step = H(pre − θ): ∂θ = −(1/ε) Σ_window g = −4 (1 + 2); ∂pre = 0. */
enum { STE_ROWS = 6 };
static const double ste_threshold = 0.5, ste_bandwidth = 0.25;
static const float ste_pre[6] = {0.4375f, 0.5625f, 0.75f, 0.25f, 0.375f, 0.625f};
static const float ste_g[6] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
static const float ste_jump[6] = {0.0f, 0.5625f, 0.75f, 0.0f, 0.0f, 0.625f};
static const float ste_step[6] = {0.0f, 1.0f, 1.0f, 0.0f, 0.0f, 1.0f};
static const float ste_jump_grad_pre[6] = {0.0f, 2.0f, 3.0f, 0.0f, 0.0f, 6.0f};
static const double ste_jump_grad_threshold = -6.0, ste_step_grad_threshold = -12.0;

/* Peak 0.1, two steps of warm-up to it, then linearly to 0 over the four remaining of six: the peak is
   reached in the second step and stands in the third, from which the fall starts: 0.1 (6 − t) / 4. The
   seventh number is what a step after the last would have. */
enum { RATE_STEPS = 6, RATE_WARMUP = 2, RATE_COUNT = 7 };
static const double rate_peak = 0.1;
static const double rates[7] = {0.05, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0};

/* Input scales of five rows with d = 2 and norms 5, 10, 0, 1, 2. SAELens: √d / mean ‖x‖ = √2 / (18/5).

   dictionary_learning divides by √(mean ‖x‖²) = √((25 + 100 + 0 + 1 + 4) / 5) = √26. */
enum { SCALE_ROWS = 5, SCALE_D = 2 };
static const float scale_x[10] = {3.0f, 4.0f, -6.0f, 8.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f, -2.0f};
static const double scale_mean_norm = 3.6, scale_mean_norm2 = 26.0;
static const double scale_saelens = 0.39283710065919305, scale_dictionary_learning = 0.19611613513818404;

/* W_enc = W_dec = 1 with d = F = 2, biases 0, relu: the negative entry is lost. */
static const float identity_x[2] = {2.0f, -1.0f}, identity_xhat[2] = {2.0f, 0.0f};

/* Dead latents are resampled at rows drawn in proportion to the square of their loss (Bricken et al. 2023):
   losses 1, 2, 3 have squares 1, 4, 9 of a sum of 14; 0.07, 0.29, 0.64 to two places. */
static const double resample_loss[3] = {1.0, 2.0, 3.0};
static const double resample_probability[3] = {1.0 / 14.0, 4.0 / 14.0, 9.0 / 14.0};

/* AuxK with d = 2, three latents of which 1 and 2 are dead, k = 1, k_aux = d/2 = 1, b_dec = (1, 1),
   b_enc = 0.

   W_enc: (1, 0), (0, 1/2), (0, −1/2); W_dec: (1, 0), (0, 1), (0, −1); rows x: (4, 3), (3, −1)

   xc = (3, 2), (2, −2); pre = (3, 1, −1), (2, −1, 1). Latent 0 is the code of both rows: x̂ − b_dec = (3, 0),
   (2, 0), e = (0, 2), (0, −2), mean ‖e‖² = 4, mean e = 0.

   The top dead pre-activation is latent 1 in row 0 and latent 2 in row 1, both 1: ê = (0, 1), (0, −1), Σ‖e −
   ê‖² = 2. SAELens: scale min(2/1, 1) = 1, mean over rows 1. With the variance that sparsify divides by, Σ‖e
   − mean e‖² = 8: 2/8. The two agree up to that factor of rows / 8; b_dec is no part of ê, and whoever adds
   it gets Σ‖e − ê − b_dec‖² = ‖(−1, 0)‖² + ‖(−1, −2)‖² = 6 instead of 2.

   Gradients of the ratio: ∂/∂ê = −2 (e − ê) / 8 = (0, −1/4), (0, 1/4).

   W_dec,1 = 1 · (0, −1/4) and W_dec,2 = 1 · (0, 1/4), along the rows, so 0 when projected.

   ∂/∂pre = W_dec,j · ∂ê = −1/4 for both: b_enc −1/4; W_enc,1 = −1/4 (3, 2), W_enc,2 = −1/4 (2, −2).

   b_dec: 0, taken as a constant. (Through xc it would be −Σ ∂pre W_enc,j = (0, 1/8) + (0, −1/8) = 0 here
   too.) */
enum { AUXK_ROWS = 2, AUXK_D = 2, AUXK_LATENTS = 3, AUXK_K = 1, AUXK_K_AUX = 1, AUXK_N_DEAD = 2 };
static const float auxk_x[4] = {4.0f, 3.0f, 3.0f, -1.0f}, auxk_b_dec[2] = {1.0f, 1.0f};
static const float auxk_W_enc[6] = {1.0f, 0.0f, 0.0f, 0.5f, 0.0f, -0.5f}, auxk_b_enc[3] = {0.0f, 0.0f, 0.0f};
static const float auxk_W_dec[6] = {1.0f, 0.0f, 0.0f, 1.0f, 0.0f, -1.0f};
static const unsigned auxk_dead[2] = {1, 2};
static const double auxk_reconstruction = 4.0, auxk_saelens = 1.0, auxk_sparsify = 0.25;
static const double auxk_sparsify_grad_W_enc[6] = {0.0, 0.0, -0.75, -0.5, -0.5, 0.5};
static const double auxk_sparsify_grad_b_enc[3] = {0.0, -0.25, -0.25};
static const double auxk_sparsify_grad_W_dec[6] = {0.0, 0.0, 0.0, -0.25, 0.0, 0.25};
static const double auxk_sparsify_grad_b_dec[2] = {0.0, 0.0};

/* Folding of a model with d = 1 and two latents, trained on s x, s = 1/2, with free decoder rows n = ‖w_dec‖
   = (2, 4), into one on x with unit rows:

   W_enc' = n W_enc, b_enc' = n b_enc / s, W_dec' = W_dec / n, b_dec' = b_dec / s, θ' = n θ / s

   and the codes become n f / s, x̂ becomes x̂ / s.

   W_enc = (1/2, −1), b_enc = (1/4, 1/2), W_dec = (2, −4), b_dec = 1, θ = (3/2, 1)

   Row x = 6: s x = 3, xc = 2, pre = (5/4, −3/2), relu (5/4, 0), x̂ = 7/2; folded xc = 4, pre = (5, −12), x̂
   = 7.

   Row x = −2: s x = −1, xc = −2, pre = (−3/4, 5/2), relu (0, 5/2), x̂ = −9; folded xc = −4, pre = (−3, 20), x̂
   = −18.

   With the thresholds the first row has no code (5/4 < 3/2; folded 5 < 6), the second keeps its own. */
enum { FOLD_ROWS = 2, FOLD_LATENTS = 2 };
static const double fold_scale = 0.5;
static const float fold_x[2] = {6.0f, -2.0f};
static const float fold_W_enc[2] = {0.5f, -1.0f}, folded_W_enc[2] = {1.0f, -4.0f};
static const float fold_b_enc[2] = {0.25f, 0.5f}, folded_b_enc[2] = {1.0f, 4.0f};
static const float fold_W_dec[2] = {2.0f, -4.0f}, folded_W_dec[2] = {1.0f, -1.0f};
static const float fold_b_dec = 1.0f, folded_b_dec = 2.0f;
static const float fold_codes[4] = {1.25f, 0.0f, 0.0f, 2.5f}, folded_codes[4] = {5.0f, 0.0f, 0.0f, 20.0f};
static const float fold_xhat[2] = {3.5f, -9.0f}, folded_xhat[2] = {7.0f, -18.0f};
static const float fold_threshold[2] = {1.5f, 1.0f}, folded_threshold[2] = {6.0f, 8.0f};
static const float fold_jump_codes[4] = {0.0f, 0.0f, 0.0f, 2.5f},
                   folded_jump_codes[4] = {0.0f, 0.0f, 0.0f, 20.0f};

/* The same weights as a gated model, b_enc as b_gate: b_mag' = n b_mag / s and r_mag stays, since W_enc'
   carries the n of both paths. r_mag = (log 2, 0), b_mag = (−1/2, 1); the gate of the above rows is open for
   latent 0 in the first and for latent 1 in the second.

   Row 6: f_0 = 2 · (1/2 · 2) − 1/2 = 3/2, x̂ = 3 + 1; folded 2 · (1 · 4) − 2 = 6, x̂ = 6 + 2.

   Row −2: f_1 = 1 · (−1 · −2) + 1 = 3, x̂ = −12 + 1; folded −4 · −4 + 8 = 24, x̂ = −24 + 2. */
static const float gated_r_mag[2] = {0.693147180559945f, 0.0f};
static const float gated_b_mag[2] = {-0.5f, 1.0f}, folded_gated_b_mag[2] = {-2.0f, 8.0f};
static const float gated_codes[4] = {1.5f, 0.0f, 0.0f, 3.0f},
                   folded_gated_codes[4] = {6.0f, 0.0f, 0.0f, 24.0f};
static const float gated_xhat[2] = {4.0f, -11.0f}, folded_gated_xhat[2] = {8.0f, -22.0f};

#endif
