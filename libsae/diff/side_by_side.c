#include "diff/side_by_side.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "diff/agreement.h"
#include "diff/score.h"
#include "model/model.h"

#include <stdio.h>

void sae_rankers_input_init(sae_rankers_input *input)
{
    *input = (sae_rankers_input){.size = sizeof *input, .by = SAE_RANKERS};
}

/* What to order by, refused before anything is read where its input is missing. */
static sae_status choose(sae_rankers_input *input, sae_error *err)
{
    bool several = input->n_after > 1, first = !several || input->over == SAE_OVER_FIRST;
    if (input->by == SAE_RANKERS)
        input->by = input->n_controls == 0 ? SAE_RANKER_DELTA
                    : first                ? SAE_RANKER_EXCESS
                                           : SAE_RANKER_EXCESS_WORST;
    const char *name = sae_ranker_name(input->by);
    if ((unsigned)input->by >= SAE_RANKER_MIN_OVER_BAD)
        return saei_fail(err, SAE_E_ARGUMENT, "ranker %d: not a score of one condition", (int)input->by);
    if ((input->by == SAE_RANKER_EXCESS || input->by == SAE_RANKER_EXCESS_WORST) && input->n_controls == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s needs a control: give one, or rank by delta", name);
    if (input->by == SAE_RANKER_ATTRIBUTION && (input->gradients == NULL || several))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s needs gradients, and one bad condition to which they belong", name);
    return SAE_OK;
}

static sae_status read_input(sae_rankers_input *input, const sae_rankers_input *given,
                             const sae_rank_options *options, sae_error *err)
{
    sae_rankers_input_init(input);
    sae_status status = saei_options_read(input, sizeof *input, given, err);
    if (status != SAE_OK)
        return status;
    if (input->n_after == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "no bad condition: give the dump of at least one");
    if (options->statistic != NULL)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "a custom statistic is no ranker: use sae_ranking_new, or leave it out");
    if ((unsigned)input->over > SAE_OVER_MEAN)
        return saei_fail(err, SAE_E_ARGUMENT, "over %d: no such choice", (int)input->over);
    if (input->gradients == NULL && input->gradients_before != NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "gradients before need those after: give both or the latter");
    return choose(input, err);
}

/* *out is NULL without gradients beside this condition. */
static sae_status score_attribution(double **out, const saei_side_readings *readings, size_t a,
                                    sae_error *err)
{
    const saei_attribution *bad = readings->of[1 + a].attribution, *good = readings->of[0].attribution;
    *out = NULL;
    if (bad == NULL)
        return SAE_OK;
    sae_status status =
        saei_alloc(out, readings->model->context, readings->model->n_latents, sizeof **out, err);
    return status == SAE_OK ? saei_attribution_scores(*out, bad, good, readings->model, err) : status;
}

/* The scores of bad condition a. */
static sae_status score_condition(saei_ranker_scores **out, const saei_side_readings *readings, size_t a,
                                  sae_pairing pairing, sae_error *err)
{
    const saei_comparison *c = &readings->comparison;
    const saei_side_reading *before = &readings->of[0], *after = &readings->of[1 + a];
    size_t first_control = c->n_dumps - c->n_controls;
    saei_ranker_input input = {.model = readings->model,
                               .before = c->profiles[0],
                               .after = c->profiles[1 + a],
                               .controls = c->profiles + first_control,
                               .n_controls = c->n_controls,
                               .control = c->control,
                               .residual_before = saei_residual_mean_get(before->residual),
                               .residual_after = saei_residual_mean_get(after->residual),
                               .difference = after->difference};
    double *attribution = NULL;
    sae_status status = saei_comparison_pair(&input.paired, c, 1 + a, 0, 1, pairing, err);
    if (status == SAE_OK)
        status =
            saei_comparison_pair(&input.control_paired, c, 1 + a, first_control, c->n_controls, pairing, err);
    if (status == SAE_OK)
        status = score_attribution(&attribution, readings, a, err);
    input.attribution = attribution;
    if (status == SAE_OK)
        status = saei_ranker_scores_new(out, &input, err);
    saei_free(readings->model->context, attribution);
    return status;
}

/* The scores of the first bad condition with those over all of them. */
static sae_status score_all(saei_ranker_scores **out, const saei_side_readings *readings, sae_pairing pairing,
                            sae_error *err)
{
    size_t n = readings->input->n_after;
    sae_context *context = readings->model->context;
    saei_ranker_scores **scores;
    sae_status status = saei_alloc(&scores, context, n, sizeof(saei_ranker_scores *), err);
    if (status != SAE_OK)
        return status;
    for (size_t a = 0; status == SAE_OK && a < n; a++)
        status = score_condition(&scores[a], readings, a, pairing, err);
    if (status == SAE_OK && scores[0]->score[readings->input->by] == NULL)
        status = saei_fail(err, SAE_E_ARGUMENT, "%s needs two prompts in every condition",
                           sae_ranker_name(readings->input->by));
    if (status == SAE_OK && n > 1)
        status = saei_ranker_scores_over(scores, n, readings->input->by, err);
    if (status == SAE_OK) {
        *out = scores[0];
        scores[0] = NULL;
    }
    for (size_t a = 0; a < n; a++)
        saei_ranker_scores_free(scores[a]);
    saei_free(context, scores);
    return status;
}

static sae_status rank_scores(sae_rankers *rankers, sae_direction direction, sae_error *err)
{
    size_t n = rankers->scores->n_latents;
    uint32_t *order;
    sae_status status = saei_alloc(&order, rankers->context, n, sizeof *order, err);
    for (size_t r = 0; status == SAE_OK && r < SAE_RANKERS; r++) {
        const double *score = rankers->scores->score[r];
        if (score == NULL)
            continue;
        status = saei_alloc(&rankers->rank[r], rankers->context, n, sizeof *rankers->rank[r], err);
        if (status == SAE_OK)
            status = saei_order_scores(order, score, n, direction, rankers->context, err);
        for (size_t i = 0; status == SAE_OK && i < n; i++)
            rankers->rank[r][order[i]] = (uint32_t)i + 1;
    }
    saei_free(rankers->context, order);
    return status;
}

static sae_status fill(sae_rankers *rankers, saei_side_readings *readings, const sae_rank_options *options,
                       sae_error *err)
{
    const sae_rankers_input *input = readings->input;
    snprintf(rankers->no_difference, sizeof rankers->no_difference, "%s", readings->no_difference);
    sae_status status = score_all(&rankers->scores, readings, options->pairing, err);
    if (status == SAE_OK)
        status = rank_scores(rankers, options->direction, err);
    if (status == SAE_OK)
        status = saei_agreement_compute(&rankers->agreement, rankers->scores, options->direction, err);
    if (status == SAE_OK)
        status = saei_ranking_of_comparison(&rankers->ranking, &readings->comparison, &readings->fidelity,
                                            options, err);
    if (status != SAE_OK)
        return status;
    sae_ranker by = input->n_after == 1 || input->over == SAE_OVER_FIRST ? input->by
                    : input->over == SAE_OVER_MIN                        ? SAE_RANKER_MIN_OVER_BAD
                                                                         : SAE_RANKER_MEAN_OVER_BAD;
    return saei_ranking_reorder(rankers->ranking, rankers->scores->score[by], options->direction, err);
}

sae_status sae_rankers_new(sae_rankers **out, const sae_model *model, const sae_rankers_input *given,
                           const sae_rank_options *options, sae_error *err)
{
    *out = NULL;
    sae_rank_options opt;
    sae_rankers_input input;
    sae_rankers *rankers;
    sae_status status = saei_rank_options_read(&opt, options, sae_model_latents(model), err);
    if (status == SAE_OK)
        status = read_input(&input, given, &opt, err);
    if (status == SAE_OK)
        status = saei_alloc(&rankers, model->context, 1, sizeof *rankers, err);
    if (status != SAE_OK)
        return status;
    rankers->context = model->context;
    saei_side_readings readings;
    status = saei_side_readings_read(&readings, model, &input, &opt, err);
    if (status == SAE_OK)
        status = fill(rankers, &readings, &opt, err);
    saei_side_readings_release(&readings);
    if (status != SAE_OK) {
        sae_rankers_free(rankers);
        return status;
    }
    *out = rankers;
    return SAE_OK;
}

void sae_rankers_free(sae_rankers *rankers)
{
    if (rankers == NULL)
        return;
    for (size_t r = 0; r < SAE_RANKERS; r++)
        saei_free(rankers->context, rankers->rank[r]);
    saei_ranker_scores_free(rankers->scores);
    sae_ranking_free(rankers->ranking);
    saei_free(rankers->context, rankers);
}

const sae_ranking *sae_rankers_ranking(const sae_rankers *rankers)
{
    return rankers->ranking;
}

size_t sae_rankers_latents(const sae_rankers *rankers)
{
    return rankers->scores->n_latents;
}

const double *sae_rankers_scores(const sae_rankers *rankers, sae_ranker ranker)
{
    return (unsigned)ranker < SAE_RANKERS ? rankers->scores->score[ranker] : NULL;
}

size_t sae_rankers_rank(const sae_rankers *rankers, sae_ranker ranker, uint32_t latent)
{
    if (sae_rankers_scores(rankers, ranker) == NULL || latent >= rankers->scores->n_latents)
        return 0;
    return rankers->rank[ranker][latent];
}

const char *sae_rankers_why_not(const sae_rankers *rankers, sae_ranker ranker)
{
    if ((unsigned)ranker >= SAE_RANKERS)
        return "no such ranker";
    if (rankers->scores->score[ranker] != NULL)
        return NULL;
    if (ranker == SAE_RANKER_DIFFERENCE_ENCODING)
        return rankers->no_difference;
    if (ranker == SAE_RANKER_ATTRIBUTION)
        return "it needs gradients";
    if (ranker >= SAE_RANKER_MIN_OVER_BAD)
        return "there is one bad condition";
    return ranker == SAE_RANKER_EXCESS || ranker == SAE_RANKER_EXCESS_WORST ? "it needs a control"
                                                                            : "it needs two prompts";
}

const sae_agreement *sae_rankers_agreement(const sae_rankers *rankers)
{
    return &rankers->agreement;
}
