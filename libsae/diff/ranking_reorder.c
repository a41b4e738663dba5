#include "base/memory.h"
#include "diff/score.h"

sae_status saei_ranking_reorder(sae_ranking *ranking, const double *score, sae_direction direction,
                                sae_error *err)
{
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
    }
    for (size_t i = 0; i < n; i++)
        ranking->position[order[i]] = i;
    saei_free(ranking->context, ranking->stats);
    ranking->stats = stats;
    saei_free(ranking->context, order);
    return SAE_OK;
}
