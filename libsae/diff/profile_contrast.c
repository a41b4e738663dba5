#include "diff/profile_contrast.h"
#include "base/memory.h"
#include "diff/confirmation.h"
#include "diff/contrast.h"
#include "diff/score.h"

#include <math.h>

/* Permutations of a held-out test for each latent that is chosen: after Holm and the doubling its least p is
   about 0.001. */
enum { HELDOUT_DRAWS = 2000 };

static saei_contrast_options contrast_options(const sae_rank_options *options)
{
    return (saei_contrast_options){.permutations = options->permutations,
                                   .bootstrap = options->bootstrap,
                                   .confidence = options->confidence,
                                   .seed = options->seed,
                                   .progress = options->progress,
                                   .progress_user = options->progress_user,
                                   .family_draws = options->family_draws,
                                   .direction = options->direction};
}

sae_status saei_profile_contrast(sae_contrast *out, const saei_profile *y, const saei_profile *x, bool paired,
                                 const sae_rank_options *options, sae_error *err)
{
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, y, x, paired, err);
    if (status != SAE_OK)
        return status;
    saei_contrast_options contrast = contrast_options(options);
    status = saei_contrast_all(out, effects, &contrast, err);
    saei_effects_free(effects);
    return status;
}

/* order [n_latents] of the estimates. */
static sae_status order_by_estimate(uint32_t *order, const saei_effects *effects, sae_direction direction,
                                    sae_error *err)
{
    double *score;
    size_t n = effects->n_latents;
    sae_status status = saei_alloc(&score, effects->context, n, sizeof *score, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++) {
        sae_contrast moments;
        saei_contrast_moments(&moments, effects, j);
        score[j] = moments.estimate;
    }
    if (status == SAE_OK)
        status = saei_order_scores(order, score, n, direction, effects->context, err);
    saei_free(effects->context, score);
    return status;
}

static sae_status contrast_with_ranks(sae_contrast *out, sae_latent_stats *stats, const saei_effects *effects,
                                      const sae_rank_options *options, sae_error *err)
{
    sae_context *context = effects->context;
    saei_contrast_options contrast = contrast_options(options);
    size_t n = saei_min_size(options->rank_top, effects->n_latents);
    uint32_t *order = NULL;
    saei_rank_interval *intervals = NULL;
    sae_status status = saei_alloc(&order, context, effects->n_latents, sizeof *order, err);
    if (status == SAE_OK)
        status = saei_alloc(&intervals, context, n, sizeof *intervals, err);
    if (status == SAE_OK)
        status = order_by_estimate(order, effects, options->direction, err);
    for (size_t c = 0; status == SAE_OK && c < n; c++)
        intervals[c] = (saei_rank_interval){(double)NAN, (double)NAN};
    contrast.rank_intervals = intervals;
    contrast.candidates = order;
    contrast.n_candidates = n;
    if (status == SAE_OK)
        status = saei_contrast_all(out, effects, &contrast, err);
    for (size_t c = 0; status == SAE_OK && c < n; c++) {
        stats[order[c]].rank_low = intervals[c].low;
        stats[order[c]].rank_high = intervals[c].high;
    }
    saei_free(context, intervals);
    saei_free(context, order);
    return status;
}

static sae_status confirm(sae_latent_stats *stats, const saei_effects *effects, const double *y_id,
                          const double *x_id, const sae_rank_options *options, sae_error *err)
{
    sae_context *context = effects->context;
    uint64_t enough = HELDOUT_DRAWS * (uint64_t)saei_min_size(options->heldout_select, effects->n_latents);
    saei_confirmation_options confirmation = {
        .select = options->heldout_select,
        .direction = options->direction,
        .resampling = {.seed = options->seed,
                       .draws = options->permutations < enough ? options->permutations : enough,
                       .progress = options->progress,
                       .progress_user = options->progress_user}};
    bool *second = NULL;
    saei_confirmation *confirmed = NULL;
    sae_status status = saei_alloc(&second, context, saei_effects_units(effects), sizeof *second, err);
    if (status == SAE_OK)
        status = saei_alloc(&confirmed, context, effects->n_latents, sizeof *confirmed, err);
    if (status == SAE_OK)
        status = saei_split_prompts(second, y_id, effects->n_y, x_id, effects->paired ? 0 : effects->n_x,
                                    options->seed, context, err);
    if (status == SAE_OK)
        status = saei_confirm(confirmed, effects, second, &confirmation, err);
    for (size_t j = 0; status == SAE_OK && j < effects->n_latents; j++) {
        stats[j].heldout_estimate = confirmed[j].estimate;
        stats[j].heldout_p = confirmed[j].p;
    }
    saei_free(context, confirmed);
    saei_free(context, second);
    return status;
}

sae_status saei_ranked_contrast(sae_contrast *out, sae_latent_stats *stats, const saei_profile *y,
                                const saei_profile *x, bool paired, const sae_rank_options *options,
                                sae_error *err)
{
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, y, x, paired, err);
    if (status != SAE_OK)
        return status;
    status = contrast_with_ranks(out, stats, effects, options, err);
    if (status == SAE_OK)
        status = confirm(stats, effects, y->id, x->id, options, err);
    saei_effects_free(effects);
    return status;
}
