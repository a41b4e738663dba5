#include "diff/ranking.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "diff/comparison.h"
#include "diff/contrast.h"
#include "model/model.h"

#include <math.h>

void sae_rank_options_init(sae_rank_options *options)
{
    *options = (sae_rank_options){.size = sizeof *options, .bootstrap = 2000, .confidence = 0.95};
}

static sae_status read_options(sae_rank_options *options, const sae_rank_options *given, size_t n_latents,
                               sae_error *err)
{
    sae_rank_options_init(options);
    sae_status status = saei_options_read(options, sizeof *options, given, err);
    if (status != SAE_OK)
        return status;
    if (!(options->confidence > 0 && options->confidence < 1))
        return saei_fail(err, SAE_E_ARGUMENT, "confidence %g: must lie between 0 and 1", options->confidence);
    if ((unsigned)options->pairing > SAE_UNPAIRED || (unsigned)options->direction > SAE_BOTH)
        return saei_fail(err, SAE_E_ARGUMENT, "pairing %d or direction %d: no such choice",
                         (int)options->pairing, (int)options->direction);
    if (options->permutations == 0) {
        uint64_t wanted = 40 * (uint64_t)n_latents;
        options->permutations = wanted < 10000 ? 10000 : wanted > 1000000 ? 1000000 : wanted;
    }
    return SAE_OK;
}

/* Σ over the prompts where the latent fires, divided by the number of all prompts. */
static double mean_over_prompts(const saei_profile *profile, const double *values, size_t latent)
{
    double sum = 0;
    for (uint64_t i = profile->ptr[latent]; i < profile->ptr[latent + 1]; i++)
        sum += values[i];
    return sum / (double)profile->n_prompts;
}

static void fill_means(sae_latent_stats *stats, const saei_comparison *comparison)
{
    const saei_profile *before = comparison->profiles[0], *after = comparison->profiles[1];
    const saei_profile *control = comparison->control;
    for (size_t j = 0; j < before->n_latents; j++) {
        stats[j].latent = (uint32_t)j;
        stats[j].mean_before = mean_over_prompts(before, before->activation, j);
        stats[j].mean_after = mean_over_prompts(after, after->activation, j);
        stats[j].freq_before = mean_over_prompts(before, before->frequency, j);
        stats[j].freq_after = mean_over_prompts(after, after->frequency, j);
        stats[j].mean_control =
            control != NULL ? mean_over_prompts(control, control->activation, j) : (double)NAN;
        stats[j].freq_control =
            control != NULL ? mean_over_prompts(control, control->frequency, j) : (double)NAN;
    }
}

static sae_status contrast_profiles(sae_contrast *out, const saei_profile *y, const saei_profile *x,
                                    bool paired, const sae_rank_options *options, sae_error *err)
{
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, y, x, paired, err);
    if (status != SAE_OK)
        return status;
    saei_contrast_options contrast = {.permutations = options->permutations,
                                      .bootstrap = options->bootstrap,
                                      .confidence = options->confidence,
                                      .seed = options->seed,
                                      .progress = options->progress,
                                      .progress_user = options->progress_user};
    status = saei_contrast_all(out, effects, &contrast, err);
    saei_effects_free(effects);
    return status;
}

static sae_status fill_contrasts(sae_latent_stats *stats, const saei_comparison *comparison,
                                 const sae_rank_options *options, sae_error *err)
{
    const saei_profile *before = comparison->profiles[0], *after = comparison->profiles[1];
    sae_context *context = comparison->model->context;
    size_t n = before->n_latents;
    sae_contrast *contrasts;
    sae_status status = saei_alloc(&contrasts, context, n, sizeof *contrasts, err);
    if (status == SAE_OK)
        status = contrast_profiles(contrasts, after, before, comparison->paired, options, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++)
        stats[j].delta = contrasts[j];
    /* (after − before) − (control − before): before cancels, prompt by prompt or in the means. */
    if (status == SAE_OK && comparison->control != NULL)
        status = contrast_profiles(contrasts, after, comparison->control, comparison->control_paired, options,
                                   err);
    double nan = (double)NAN;
    for (size_t j = 0; status == SAE_OK && j < n; j++)
        stats[j].excess = comparison->control != NULL ? contrasts[j] : (sae_contrast){nan, nan, nan, nan,
                                                                                      nan, nan, nan, nan};
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

static sae_status rank(sae_ranking *ranking, const saei_comparison *comparison,
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
    fill_means(stats, comparison);
    status = fill_contrasts(stats, comparison, options, err);
    if (status != SAE_OK)
        goto done;
    if (options->statistic != NULL)
        status = saei_custom_scores(score, comparison, options, err);
    else
        for (size_t j = 0; j < n; j++)
            score[j] = comparison->control != NULL ? stats[j].excess.estimate : stats[j].delta.estimate;
    if (status == SAE_OK)
        status = sort_stats(ranking, stats, score, options->direction, err);
done:
    saei_free(ranking->context, score);
    saei_free(ranking->context, stats);
    return status;
}

static sae_status warn(sae_ranking *ranking, const saei_comparison *comparison, sae_error *err)
{
    const char **names;
    sae_status status = saei_alloc(&names, ranking->context, ranking->n_dumps, sizeof *names, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < ranking->n_dumps; i++)
        names[i] = sae_dump_name(comparison->dumps[i]);
    const saei_profile *after = comparison->profiles[1];
    const saei_profile *x = comparison->control != NULL ? comparison->control : comparison->profiles[0];
    bool paired = comparison->control != NULL ? comparison->control_paired : comparison->paired;
    if (!saei_gate_fidelity(ranking->warning, ranking->fidelity, names, ranking->n_dumps))
        saei_gate_prompts(ranking->warning, paired, after->n_prompts, x->n_prompts);
    saei_free(ranking->context, names);
    return SAE_OK;
}

static sae_status alloc_ranking(sae_ranking **out, const sae_model *model, size_t n_dumps, sae_error *err)
{
    sae_context *context = model->context;
    sae_ranking *ranking;
    sae_status status = saei_alloc(&ranking, context, 1, sizeof *ranking, err);
    if (status != SAE_OK)
        return status;
    *out = ranking;
    ranking->context = context;
    ranking->n_latents = sae_model_latents(model);
    ranking->n_dumps = n_dumps;
    ranking->has_control = n_dumps > 2;
    status = saei_alloc(&ranking->stats, context, ranking->n_latents, sizeof *ranking->stats, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranking->position, context, ranking->n_latents, sizeof *ranking->position, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranking->fidelity, context, n_dumps, sizeof *ranking->fidelity, err);
    return status;
}

sae_status sae_ranking_new(sae_ranking **out, const sae_model *model, const sae_dump *before,
                           const sae_dump *after, const sae_dump *const *controls, size_t n_controls,
                           const sae_rank_options *options, sae_error *err)
{
    *out = NULL;
    sae_rank_options opt;
    sae_status status = read_options(&opt, options, sae_model_latents(model), err);
    if (status != SAE_OK)
        return status;
    sae_ranking *ranking = NULL;
    saei_comparison comparison;
    status = saei_comparison_alloc(&comparison, model, before, after, controls, n_controls, err);
    if (status == SAE_OK)
        status = alloc_ranking(&ranking, model, comparison.n_dumps, err);
    if (status == SAE_OK)
        status = saei_comparison_read(&comparison, ranking->fidelity, &opt, err);
    if (status == SAE_OK)
        status = rank(ranking, &comparison, &opt, err);
    if (status == SAE_OK)
        status = warn(ranking, &comparison, err);
    if (status != SAE_OK)
        goto done;
    ranking->paired = comparison.paired;
    ranking->control_paired = comparison.control_paired;
    ranking->n_prompts = comparison.profiles[1]->n_prompts;
    *out = ranking;
    ranking = NULL;
done:
    sae_ranking_free(ranking);
    saei_comparison_release(&comparison);
    return status;
}

void sae_ranking_free(sae_ranking *ranking)
{
    if (ranking == NULL)
        return;
    saei_free(ranking->context, ranking->fidelity);
    saei_free(ranking->context, ranking->position);
    saei_free(ranking->context, ranking->stats);
    saei_free(ranking->context, ranking);
}

size_t sae_ranking_count(const sae_ranking *ranking)
{
    return ranking->n_latents;
}

const sae_latent_stats *sae_ranking_at(const sae_ranking *ranking, size_t i)
{
    return i < ranking->n_latents ? &ranking->stats[i] : NULL;
}

const sae_latent_stats *sae_ranking_latent(const sae_ranking *ranking, uint32_t latent)
{
    return latent < ranking->n_latents ? &ranking->stats[ranking->position[latent]] : NULL;
}

bool sae_ranking_has_control(const sae_ranking *ranking)
{
    return ranking->has_control;
}

bool sae_ranking_paired(const sae_ranking *ranking)
{
    return ranking->paired;
}

bool sae_ranking_control_paired(const sae_ranking *ranking)
{
    return ranking->control_paired;
}

size_t sae_ranking_prompts(const sae_ranking *ranking)
{
    return ranking->n_prompts;
}

sae_fidelity sae_ranking_fidelity(const sae_ranking *ranking, size_t which)
{
    return which < ranking->n_dumps ? ranking->fidelity[which] : (sae_fidelity){0};
}

const char *sae_ranking_warning(const sae_ranking *ranking)
{
    return ranking->warning[0] != '\0' ? ranking->warning : NULL;
}
