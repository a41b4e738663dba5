#include "diff/separation.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

sae_status saei_separation_alloc(saei_separation *s, const saei_cases *cases, sae_error *err)
{
    sae_context *context = cases->context;
    size_t n_models = cases->models->n;
    size_t clusters = cases->n_prompts > n_models ? cases->n_prompts : n_models;
    *s = (saei_separation){.cases = cases};
    sae_status status = saei_alloc(&s->sorted, context, cases->n, sizeof *s->sorted, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->placement, context, cases->n, sizeof *s->placement, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->clusters, context, saei_mul(4, clusters), sizeof *s->clusters, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->ways, context, saei_rank_sum_scratch(n_models), sizeof *s->ways, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->models, context, n_models, sizeof *s->models, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->sum, context, n_models, sizeof *s->sum, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->count, context, n_models, sizeof *s->count, err);
    return status;
}

void saei_separation_release(saei_separation *s)
{
    if (s->cases == NULL)
        return;
    sae_context *context = s->cases->context;
    saei_free(context, s->count);
    saei_free(context, s->sum);
    saei_free(context, s->models);
    saei_free(context, s->ways);
    saei_free(context, s->clusters);
    saei_free(context, s->placement);
    saei_free(context, s->sorted);
}

static size_t sort_cases(saei_separation *s, const double *score, const saei_folds *folds, uint32_t left_out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->cases->n; i++)
        if (folds == NULL || folds->fold[i] != left_out)
            s->sorted[n++] = (saei_scored){score[i], (uint32_t)i};
    saei_sort_scored(s->sorted, n);
    return n;
}

/* The means of the models over the cases inside the fold, or outside, sorted; those without such cases are
 * left out. */
static size_t sort_models(saei_separation *s, const double *score, const saei_folds *folds, uint32_t fold,
                          bool inside)
{
    size_t n_models = s->cases->models->n, n = 0;
    memset(s->sum, 0, n_models * sizeof *s->sum);
    memset(s->count, 0, n_models * sizeof *s->count);
    for (size_t i = 0; i < s->cases->n; i++) {
        if (folds != NULL && (folds->fold[i] == fold) != inside)
            continue;
        s->sum[s->cases->model[i]] += score[i];
        s->count[s->cases->model[i]] += 1;
    }
    for (size_t c = 0; c < n_models; c++)
        if (s->count[c] > 0)
            s->models[n++] = (saei_scored){s->sum[c] / s->count[c], (uint32_t)c};
    saei_sort_scored(s->models, n);
    return n;
}

void saei_separation_describe(sae_discrimination *out, saei_separation *s, const double *score)
{
    const saei_cases *cases = s->cases;
    const bool *bad = cases->models->bad;
    size_t n = sort_models(s, score, NULL, 0, false);
    out->auroc = saei_placements(s->placement, s->models, n, bad);
    out->average_precision = saei_average_precision(s->models, n, bad);
    out->p = saei_rank_sum_p(s->models, n, bad, s->ways);
    out->threshold = saei_best_cut(s->models, n, bad);
    n = sort_cases(s, score, NULL, 0);
    out->prompt_auroc = saei_placements(s->placement, s->sorted, n, cases->bad);
    out->prompt_se = saei_clustered_se(s->placement, s->sorted, n, cases->bad, cases->prompt,
                                       cases->n_prompts, s->clusters);
    out->model_se = saei_clustered_se(s->placement, s->sorted, n, cases->bad, cases->model, cases->models->n,
                                      s->clusters);
}

double saei_separation_auroc(saei_separation *s, const double *score, const saei_folds *folds,
                             uint32_t left_out)
{
    size_t n = sort_cases(s, score, folds, left_out);
    return saei_placements(s->placement, s->sorted, n, s->cases->bad);
}

static bool both_kinds(const saei_scored *models, size_t n, const bool *bad)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < n; i++)
        n_bad += bad[models[i].unit] ? 1 : 0;
    return n_bad > 0 && n_bad < n;
}

void saei_separation_test(size_t *correct, size_t *tested, saei_separation *s, const double *score,
                          const saei_folds *folds, uint32_t fold)
{
    const bool *bad = s->cases->models->bad;
    size_t n = sort_models(s, score, folds, fold, false);
    if (!both_kinds(s->models, n, bad))
        return;
    double cut = saei_best_cut(s->models, n, bad);
    n = sort_models(s, score, folds, fold, true);
    for (size_t i = 0; i < n; i++)
        *correct += (s->models[i].score > cut) == bad[s->models[i].unit] ? 1 : 0;
    *tested += n;
}
