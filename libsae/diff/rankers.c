#include "diff/rankers.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/contrast.h"
#include "diff/residual_shift.h"

#include <math.h>

const char *sae_ranker_name(sae_ranker ranker)
{
    static const char *const names[SAE_RANKERS] = {
        "delta",     "excess",    "excess_worst",        "t",           "moderated_t",  "effect",
        "frequency", "cos_shift", "difference_encoding", "attribution", "min_over_bad", "mean_over_bad"};
    return (unsigned)ranker < SAE_RANKERS ? names[ranker] : NULL;
}

static double activation(const saei_profile *profile, size_t latent)
{
    return saei_mean_over_prompts(profile, profile->activation, latent);
}

static double frequency(const saei_profile *profile, size_t latent)
{
    return saei_mean_over_prompts(profile, profile->frequency, latent);
}

static sae_status add_column(saei_ranker_scores *scores, sae_ranker ranker, sae_error *err)
{
    if (scores->score[ranker] != NULL)
        return SAE_OK;
    return saei_alloc(&scores->score[ranker], scores->context, scores->n_latents, sizeof(double), err);
}

static sae_status fill_frequency(saei_ranker_scores *scores, const saei_ranker_input *input, sae_error *err)
{
    sae_status status = add_column(scores, SAE_RANKER_FREQUENCY, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++)
        scores->score[SAE_RANKER_FREQUENCY][j] = frequency(input->after, j) - frequency(input->before, j);
    return status;
}

static sae_status fill_worst(saei_ranker_scores *scores, const saei_ranker_input *input, sae_error *err)
{
    sae_status status = add_column(scores, SAE_RANKER_EXCESS_WORST, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++) {
        double highest = -(double)INFINITY;
        for (size_t c = 0; c < input->n_controls; c++)
            highest = fmax(highest, activation(input->controls[c], j));
        scores->score[SAE_RANKER_EXCESS_WORST][j] = activation(input->after, j) - highest;
    }
    return status;
}

static void copy_moments(saei_ranker_scores *scores, const sae_contrast *contrasts)
{
    for (size_t j = 0; j < scores->n_latents; j++) {
        const sae_contrast *c = &contrasts[j];
        scores->score[SAE_RANKER_T][j] = c->estimate == 0 ? 0 : c->estimate / c->se;
        scores->score[SAE_RANKER_MODERATED_T][j] = c->t;
        scores->score[SAE_RANKER_EFFECT][j] = c->effect;
    }
}

static sae_status contrast(sae_contrast *out, saei_ranker_scores *scores, sae_ranker ranker,
                           const saei_profile *y, const saei_profile *x, bool paired, sae_error *err)
{
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, y, x, paired, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < scores->n_latents; j++)
        saei_contrast_moments(&out[j], effects, j);
    status = saei_moderate(out, effects, err);
    saei_effects_free(effects);
    if (status == SAE_OK)
        status = add_column(scores, ranker, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++)
        scores->score[ranker][j] = out[j].estimate;
    return status;
}

/* delta and excess, as a ranking has them to the bit; t, moderated_t and effect of the one that it is about.
 */
static sae_status fill_contrasts(saei_ranker_scores *scores, const saei_ranker_input *input, sae_error *err)
{
    const saei_profile *before = input->before, *after = input->after, *control = input->control;
    sae_contrast *contrasts;
    sae_status status = saei_alloc(&contrasts, scores->context, scores->n_latents, sizeof *contrasts, err);
    if (status == SAE_OK)
        status = contrast(contrasts, scores, SAE_RANKER_DELTA, after, before, input->paired, err);
    if (status == SAE_OK && control != NULL)
        status = contrast(contrasts, scores, SAE_RANKER_EXCESS, after, control, input->control_paired, err);
    bool variance = after->n_prompts > 1 && (control != NULL ? control : before)->n_prompts > 1;
    for (int r = SAE_RANKER_T; status == SAE_OK && variance && r <= SAE_RANKER_EFFECT; r++)
        status = add_column(scores, (sae_ranker)r, err);
    if (status == SAE_OK && variance)
        copy_moments(scores, contrasts);
    saei_free(scores->context, contrasts);
    return status;
}

static sae_status fill_cosines(saei_ranker_scores *scores, const saei_ranker_input *input, sae_error *err)
{
    sae_latent_shift *latents = NULL;
    sae_shift_summary summary;
    const saei_residual_shift shift = {.model = input->model,
                                       .before = input->residual_before,
                                       .after = input->residual_after,
                                       .delta = scores->score[SAE_RANKER_DELTA]};
    sae_status status = add_column(scores, SAE_RANKER_COS_SHIFT, err);
    if (status == SAE_OK)
        status = saei_alloc(&latents, scores->context, scores->n_latents, sizeof *latents, err);
    if (status == SAE_OK)
        status = saei_residual_shift_explain(&summary, latents, NULL, &shift, NULL, 0, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++)
        scores->score[SAE_RANKER_COS_SHIFT][j] = latents[j].cosine;
    saei_free(scores->context, latents);
    return status;
}

static sae_status fill_difference_encoding(saei_ranker_scores *scores, const saei_profile *difference,
                                           sae_error *err)
{
    sae_status status = add_column(scores, SAE_RANKER_DIFFERENCE_ENCODING, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++)
        scores->score[SAE_RANKER_DIFFERENCE_ENCODING][j] = activation(difference, j);
    return status;
}

static sae_status fill_attribution(saei_ranker_scores *scores, const double *attribution, sae_error *err)
{
    sae_status status = add_column(scores, SAE_RANKER_ATTRIBUTION, err);
    for (size_t j = 0; status == SAE_OK && j < scores->n_latents; j++)
        scores->score[SAE_RANKER_ATTRIBUTION][j] = attribution[j];
    return status;
}

static void mark_firing(bool *fires, const saei_profile *profile)
{
    for (size_t j = 0; j < profile->n_latents; j++)
        fires[j] = fires[j] || profile->ptr[j + 1] > profile->ptr[j];
}

static sae_status fill(saei_ranker_scores *scores, const saei_ranker_input *input, sae_error *err)
{
    sae_status status = saei_alloc(&scores->fires, scores->context, scores->n_latents, sizeof(bool), err);
    if (status != SAE_OK)
        return status;
    mark_firing(scores->fires, input->before);
    mark_firing(scores->fires, input->after);
    for (size_t c = 0; c < input->n_controls; c++)
        mark_firing(scores->fires, input->controls[c]);
    status = fill_contrasts(scores, input, err);
    if (status == SAE_OK)
        status = fill_frequency(scores, input, err);
    if (status == SAE_OK && input->n_controls > 0)
        status = fill_worst(scores, input, err);
    if (status == SAE_OK && input->residual_before != NULL && input->residual_after != NULL)
        status = fill_cosines(scores, input, err);
    if (status == SAE_OK && input->difference != NULL)
        status = fill_difference_encoding(scores, input->difference, err);
    if (status == SAE_OK && input->attribution != NULL)
        status = fill_attribution(scores, input->attribution, err);
    return status;
}

sae_status saei_ranker_scores_new(saei_ranker_scores **out, const saei_ranker_input *input, sae_error *err)
{
    *out = NULL;
    sae_context *context = input->after->context;
    saei_ranker_scores *scores;
    sae_status status = saei_alloc(&scores, context, 1, sizeof *scores, err);
    if (status != SAE_OK)
        return status;
    *scores = (saei_ranker_scores){.context = context, .n_latents = input->after->n_latents};
    status = fill(scores, input, err);
    if (status != SAE_OK) {
        saei_ranker_scores_free(scores);
        return status;
    }
    *out = scores;
    return SAE_OK;
}

void saei_ranker_scores_free(saei_ranker_scores *scores)
{
    if (scores == NULL)
        return;
    for (size_t r = 0; r < SAE_RANKERS; r++)
        saei_free(scores->context, scores->score[r]);
    saei_free(scores->context, scores->fires);
    saei_free(scores->context, scores);
}

static sae_status check_base(saei_ranker_scores *const *conditions, size_t n, sae_ranker base, sae_error *err)
{
    if ((unsigned)base >= SAE_RANKER_MIN_OVER_BAD)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "ranker %d: minimum and mean over bad conditions need a score of one condition",
                         (int)base);
    for (size_t c = 0; c < n; c++)
        if (conditions[c]->score[base] == NULL)
            return saei_fail(err, SAE_E_ARGUMENT,
                             "%s was not computed for bad condition %zu: give its input or choose another "
                             "ranker",
                             sae_ranker_name(base), c + 1);
    return SAE_OK;
}

static void combine(saei_ranker_scores *const *conditions, size_t n, sae_ranker base)
{
    saei_ranker_scores *first = conditions[0];
    for (size_t j = 0; j < first->n_latents; j++) {
        double least = (double)INFINITY, sum = 0;
        for (size_t c = 0; c < n; c++) {
            least = fmin(least, conditions[c]->score[base][j]);
            sum += conditions[c]->score[base][j];
            first->fires[j] = first->fires[j] || conditions[c]->fires[j];
        }
        first->score[SAE_RANKER_MIN_OVER_BAD][j] = isnan(sum) ? (double)NAN : least;
        first->score[SAE_RANKER_MEAN_OVER_BAD][j] = sum / (double)n;
    }
}

sae_status saei_ranker_scores_over(saei_ranker_scores *const *conditions, size_t n, sae_ranker base,
                                   sae_error *err)
{
    sae_status status = check_base(conditions, n, base, err);
    if (status == SAE_OK)
        status = add_column(conditions[0], SAE_RANKER_MIN_OVER_BAD, err);
    if (status == SAE_OK)
        status = add_column(conditions[0], SAE_RANKER_MEAN_OVER_BAD, err);
    if (status == SAE_OK)
        combine(conditions, n, base);
    return status;
}
