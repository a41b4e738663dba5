/* Family-wise error over all latents, by the maximum of the statistics (Westfall & Young 1993). */
#ifndef SAEI_FAMILY_H
#define SAEI_FAMILY_H

#include "diff/resample.h"

/* p [n_latents] = (1 + draws in which the largest |U_b| of all latents reaches |U|) / (draws + 1), U = T / σ
   with σ the exact standard deviation of T_b under the permutation, which no permutation changes. All draws
   are made, the same for every latent. Latents without a value: 1. NaN when draws is 0. Memory: O(n_latents +
   draws). For effects without weights of their own. */
sae_status saei_family_p(double *p, const saei_effects *effects, const saei_resampling *resampling,
                         sae_error *err);

/* σ. Paired: √Σ d² / n. Unpaired: √(S² (1/n_y + 1/n_x)), S² the sample variance of all n_y + n_x values. */
double saei_permutation_sd(const saei_effects *effects, size_t latent);

#endif
