/* How far rankers agree. */
#ifndef SAEI_AGREEMENT_H
#define SAEI_AGREEMENT_H

#include "diff/rankers.h"

/* Compares the latents that fire and have every score that was computed. direction says which end of the
   scores is first. O(rankers · F log F) time. */
sae_status saei_agreement_compute(sae_agreement *out, const saei_ranker_scores *scores,
                                  sae_direction direction, sae_error *err);

/* rank [n]: of each value among all of them from 1, ascending; ties get the mean of their ranks. No NaN. */
sae_status saei_average_ranks(double *rank, const double *value, size_t n, sae_context *context,
                              sae_error *err);

#endif
