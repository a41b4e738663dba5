#include "base/memory.h"
#include "diff/score.h"

#include <math.h>

static bool same_scores(const sae_ranking *ranking, const double *score)
{
    for (size_t i = 0; i < ranking->n_latents; i++)
        if (!(score[ranking->stats[i].latent] == ranking->stats[i].score))
            return false;
    return true;
}

sae_status saei_ranking_reorder(sae_ranking *ranking, const double *score, sae_direction direction,
                                sae_error *err)
{
    if (same_scores(ranking, score))
        return SAE_OK;
    size_t n = ranking->n_latents;
    uint32_t *order = NULL;
    sae_latent_stats *stats = NULL;
    sae_status status = saei_alloc(&order, ranking->context, n, sizeof *order, err);
    if (status == SAE_OK)
        status = saei_alloc(&stats, ranking->context, n, sizeof *stats, err);
    if (status == SAE_OK)
        status = saei_order_scores(order, score, n, direction, ranking->context, err);
    if (status != SAE_OK) {
        saei_free(ranking->context, stats);
        saei_free(ranking->context, order);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        stats[i] = ranking->stats[ranking->position[order[i]]];
        stats[i].rank = i + 1;
        stats[i].score = score[order[i]];
        stats[i].rank_low = stats[i].rank_high = (double)NAN;
        stats[i].heldout_estimate = stats[i].heldout_p = (double)NAN;
    }
    for (size_t i = 0; i < n; i++)
        ranking->position[order[i]] = i;
    saei_free(ranking->context, ranking->stats);
    ranking->stats = stats;
    saei_free(ranking->context, order);
    return SAE_OK;
}
