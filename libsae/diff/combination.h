/* Weighted sums of conditions: differences of differences, trends over doses. */
#ifndef SAEI_COMBINATION_H
#define SAEI_COMBINATION_H

#include "diff/effects.h"

/* The effects of Σ_c coefficient[c] mean_c over n profiles of the same latents.
   paired: the profiles hold the same prompts, which are the units, with Σ_c coefficient[c] a_c as values; a
   permutation flips signs, which is exact when the null hypothesis exchanges the conditions of a prompt in a
   way that turns the sum into its negative (two sides swapped; the doses in reverse order with centred
   ranks). Otherwise: the units are all (condition, prompt) pairs, the values their activations; a permutation
   deals the weights coefficient[c] / prompts of c anew, exact when the units are exchangeable. The
   coefficients must sum to 0 then. SAE_E_UNSUPPORTED: 2^32 units or more. */
sae_status saei_combination_new(saei_effects **out, const saei_profile *const *profiles,
                                const double *coefficient, size_t n, bool paired, sae_error *err);

#endif
