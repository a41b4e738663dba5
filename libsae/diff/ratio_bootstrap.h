/* Bootstrap intervals of a ratio of two comparisons of the same prompts. */
#ifndef SAEI_RATIO_BOOTSTRAP_H
#define SAEI_RATIO_BOOTSTRAP_H

#include "diff/resample.h"

/* low, high [n_latents]: percentile interval of T(numerator) / T(denominator[j]), the same prompts drawn for
   both. denominator [n_latents]; NULL, other numbers of units than the numerator's, or draws = 0: NaN. A draw
   with a denominator of 0 counts as an infinite ratio. */
sae_status saei_ratio_interval(double *low, double *high, const saei_effects *numerator,
                               const saei_effects *const *denominator, double confidence,
                               const saei_resampling *resampling, sae_error *err);

#endif
