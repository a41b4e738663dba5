/* Weights of bins under which prompts have a wanted distribution over the bins. */
#ifndef SAEI_BIN_WEIGHTS_H
#define SAEI_BIN_WEIGHTS_H

#include <stddef.h>

/* count [prompts, bins]: rows of each prompt in each bin, at least one in all of a prompt. */

/* share [bins]: mean over prompts of weight_b count_pb / Σ_c weight_c count_pc. */
void saei_bin_shares(double *share, const double *weight, const double *count, size_t prompts, size_t bins);

/* Total variation: half of the sum of the absolute differences. */
double saei_bin_distance(const double *a, const double *b, size_t bins);

/* Finds weights with shares = target (> 0 in just the bins that have rows) by iterative scaling, weight_b ←
   weight_b target_b / share_b, which is the ascent of Σ target_b log weight_b − mean_p log Σ_b weight_b
   count_pb, a concave function of the logarithms (Darroch & Ratcliff 1972; Hunter 2004). Bins without a
   target get 0. share: what the weights reach. Returns the distance that is left: not near 0 when no weights
   exist. */
double saei_bin_weights(double *weight, double *share, const double *count, const double *target,
                        size_t prompts, size_t bins);

#endif
