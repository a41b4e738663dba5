/* What latents are ranked by. */
#ifndef SAEI_SCORE_H
#define SAEI_SCORE_H

#include "diff/ranking.h"

/* score [n_latents]: the custom statistic for each latent in index order. */
sae_status saei_custom_scores(double *score, sae_context *context, const saei_ranking_input *input,
                              const sae_rank_options *options, sae_error *err);

/* order [n]: latents by score, ties by index, NaN last. */
sae_status saei_order_scores(uint32_t *order, const double *score, size_t n, sae_direction direction,
                             sae_context *context, sae_error *err);

#endif
