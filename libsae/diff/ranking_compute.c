#include "base/memory.h"
#include "diff/profile_contrast.h"
#include "diff/score.h"

#include <math.h>

static void fill_means(sae_latent_stats *stats, const saei_ranking_input *input)
{
    const saei_profile *before = input->before, *after = input->after, *control = input->control;
    for (size_t j = 0; j < before->n_latents; j++) {
        stats[j].latent = (uint32_t)j;
        stats[j].rank_low = stats[j].rank_high = (double)NAN;
        stats[j].heldout_estimate = stats[j].heldout_p = (double)NAN;
        stats[j].mean_before = saei_mean_over_prompts(before, before->activation, j);
        stats[j].mean_after = saei_mean_over_prompts(after, after->activation, j);
        stats[j].freq_before = saei_mean_over_prompts(before, before->frequency, j);
        stats[j].freq_after = saei_mean_over_prompts(after, after->frequency, j);
        stats[j].mean_control =
            control != NULL ? saei_mean_over_prompts(control, control->activation, j) : (double)NAN;
        stats[j].freq_control =
            control != NULL ? saei_mean_over_prompts(control, control->frequency, j) : (double)NAN;
    }
}

/* A custom statistic ranks by other numbers than the estimate, of which nothing is known beyond this sample.
 */
static sae_status contrast(sae_contrast *out, sae_latent_stats *stats, const saei_ranking_input *input,
                           bool with_control, const sae_rank_options *options, sae_error *err)
{
    const saei_profile *x = with_control ? input->control : input->before;
    bool paired = with_control ? input->control_paired : input->paired;
    bool ranked = options->statistic == NULL && with_control == (input->control != NULL);
    return ranked ? saei_ranked_contrast(out, stats, input->after, x, paired, options, err)
                  : saei_profile_contrast(out, input->after, x, paired, options, err);
}

static sae_status fill_contrasts(sae_latent_stats *stats, sae_context *context,
                                 const saei_ranking_input *input, const sae_rank_options *options,
                                 sae_error *err)
{
    const double nan = (double)NAN;
    const sae_contrast none = {nan, nan, nan, nan, nan, nan, nan, nan, nan};
    size_t n = input->after->n_latents;
    sae_contrast *contrasts;
    sae_status status = saei_alloc(&contrasts, context, n, sizeof *contrasts, err);
    if (status == SAE_OK)
        status = contrast(contrasts, stats, input, false, options, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++) {
        stats[j].delta = contrasts[j];
        stats[j].excess = none;
    }
    if (status == SAE_OK && input->control != NULL) {
        /* (after − before) − (control − before): before cancels, prompt by prompt or in the means. */
        status = contrast(contrasts, stats, input, true, options, err);
        for (size_t j = 0; status == SAE_OK && j < n; j++)
            stats[j].excess = contrasts[j];
    }
    saei_free(context, contrasts);
    return status;
}

/* Brings stats, which are by latent, into the order of their scores. */
static sae_status sort_stats(sae_ranking *ranking, sae_latent_stats *by_latent, const double *score,
                             sae_direction direction, sae_error *err)
{
    uint32_t *order;
    size_t n = ranking->n_latents;
    sae_status status = saei_alloc(&order, ranking->context, n, sizeof *order, err);
    if (status == SAE_OK)
        status = saei_order_scores(order, score, n, direction, ranking->context, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        ranking->stats[i] = by_latent[order[i]];
        ranking->stats[i].rank = i + 1;
        ranking->stats[i].score = score[order[i]];
        ranking->position[order[i]] = i;
    }
    saei_free(ranking->context, order);
    return status;
}

static sae_status rank_latents(sae_ranking *ranking, const saei_ranking_input *input,
                               const sae_rank_options *options, sae_error *err)
{
    sae_latent_stats *stats = NULL;
    double *score = NULL;
    size_t n = ranking->n_latents;
    sae_status status = saei_alloc(&stats, ranking->context, n, sizeof *stats, err);
    if (status == SAE_OK)
        status = saei_alloc(&score, ranking->context, n, sizeof *score, err);
    if (status != SAE_OK)
        goto done;
    fill_means(stats, input);
    status = fill_contrasts(stats, ranking->context, input, options, err);
    if (status != SAE_OK)
        goto done;
    if (options->statistic != NULL)
        status = saei_custom_scores(score, ranking->context, input, options, err);
    else
        for (size_t j = 0; j < n; j++)
            score[j] = input->control != NULL ? stats[j].excess.estimate : stats[j].delta.estimate;
    if (status == SAE_OK)
        status = sort_stats(ranking, stats, score, options->direction, err);
done:
    saei_free(ranking->context, score);
    saei_free(ranking->context, stats);
    return status;
}

static sae_status alloc_ranking(sae_ranking **out, sae_context *context, const saei_ranking_input *input,
                                sae_error *err)
{
    sae_ranking *ranking;
    sae_status status = saei_alloc(&ranking, context, 1, sizeof *ranking, err);
    if (status != SAE_OK)
        return status;
    *out = ranking;
    ranking->context = context;
    ranking->n_latents = input->after->n_latents;
    ranking->n_prompts = input->after->n_prompts;
    ranking->has_control = input->control != NULL;
    ranking->paired = input->paired;
    ranking->control_paired = input->control != NULL && input->control_paired;
    status = saei_alloc(&ranking->stats, context, ranking->n_latents, sizeof *ranking->stats, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranking->position, context, ranking->n_latents, sizeof *ranking->position, err);
    return status;
}

static void warn_of_few_prompts(sae_ranking *ranking, const saei_ranking_input *input)
{
    const saei_profile *x = input->control != NULL ? input->control : input->before;
    bool paired = input->control != NULL ? input->control_paired : input->paired;
    saei_gate_prompts(ranking->warning, paired, input->after->n_prompts, x->n_prompts);
}

sae_status saei_ranking_compute(sae_ranking **out, sae_context *context, const saei_ranking_input *input,
                                const sae_rank_options *options, sae_error *err)
{
    *out = NULL;
    sae_rank_options opt;
    sae_status status = saei_rank_options_read(&opt, options, input->after->n_latents, err);
    if (status != SAE_OK)
        return status;
    sae_ranking *ranking = NULL;
    status = alloc_ranking(&ranking, context, input, err);
    if (status == SAE_OK)
        status = rank_latents(ranking, input, &opt, err);
    if (status != SAE_OK) {
        sae_ranking_free(ranking);
        return status;
    }
    warn_of_few_prompts(ranking, input);
    *out = ranking;
    return SAE_OK;
}
