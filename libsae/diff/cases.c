#include "diff/cases.h"
#include "apply/groups.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>

static sae_status check(const saei_models *models, sae_error *err)
{
    size_t n_bad = 0;
    if (models->n > SAEI_MOST_MODELS)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%zu models to tell apart: at most %d", models->n,
                         SAEI_MOST_MODELS);
    for (size_t c = 0; c < models->n; c++) {
        n_bad += models->bad[c] ? 1 : 0;
        if (models->profiles[c]->n_latents != models->profiles[0]->n_latents)
            return saei_fail(err, SAE_E_MISMATCH, "conditions of %zu and of %zu latents cannot be compared",
                             models->profiles[0]->n_latents, models->profiles[c]->n_latents);
    }
    if (n_bad == 0 || n_bad == models->n)
        return saei_fail(err, SAE_E_ARGUMENT, "%zu of %zu models are bad: one of each kind is needed", n_bad,
                         models->n);
    return SAE_OK;
}

/* The folds of equal values, ascending; NaN is in none. Overwrites values [cases]. */
static sae_status fold_by(saei_folds *folds, const saei_cases *cases, double *values, sae_error *err)
{
    for (size_t i = 0; i < cases->n; i++)
        if (isnan(values[i]))
            values[i] = -(double)INFINITY;
    saei_groups *groups;
    sae_status status = saei_groups_new(&groups, cases->context, values, cases->n, "models", err);
    if (status == SAE_OK)
        status = saei_alloc(&folds->fold, cases->context, cases->n, sizeof *folds->fold, err);
    if (status == SAE_OK) {
        uint32_t without = isinf(groups->id[0]) ? 1u : 0u;
        folds->n = groups->n - without;
        for (size_t i = 0; i < cases->n; i++)
            folds->fold[i] = isinf(values[i]) ? UINT32_MAX : groups->of_row[i] - without;
    }
    saei_groups_free(groups);
    return status;
}

static double domain_of_prompt(const saei_models *models, double id)
{
    size_t low = 0, high = models->n_prompts;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (models->prompt_id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < models->n_prompts && models->prompt_id[low] == id ? models->prompt_domain[low] : (double)NAN;
}

static double prompt_id(const saei_cases *cases, size_t i)
{
    size_t c = cases->model[i];
    return cases->models->profiles[c]->id[i - cases->first[c]];
}

static sae_status number_prompts(saei_cases *cases, double *values, sae_error *err)
{
    for (size_t i = 0; i < cases->n; i++)
        values[i] = prompt_id(cases, i);
    saei_groups *groups;
    sae_status status = saei_groups_new(&groups, cases->context, values, cases->n, "models", err);
    if (status != SAE_OK)
        return status;
    cases->n_prompts = groups->n;
    for (size_t i = 0; i < cases->n; i++)
        cases->prompt[i] = groups->of_row[i];
    saei_groups_free(groups);
    return SAE_OK;
}

static sae_status make_folds(saei_cases *cases, double *values, sae_error *err)
{
    const saei_models *models = cases->models;
    for (size_t i = 0; i < cases->n; i++)
        values[i] = cases->model[i];
    sae_status status = fold_by(&cases->by_model, cases, values, err);
    if (status == SAE_OK && models->domain != NULL) {
        for (size_t i = 0; i < cases->n; i++)
            values[i] = models->domain[cases->model[i]];
        status = fold_by(&cases->by_domain, cases, values, err);
    }
    if (status == SAE_OK && models->prompt_domain != NULL) {
        for (size_t i = 0; i < cases->n; i++)
            values[i] = domain_of_prompt(models, prompt_id(cases, i));
        status = fold_by(&cases->by_prompt_domain, cases, values, err);
    }
    return status;
}

static sae_status fill(saei_cases *cases, sae_error *err)
{
    const saei_models *models = cases->models;
    sae_context *context = cases->context;
    double *values = NULL;
    sae_status status = saei_alloc(&cases->first, context, models->n + 1, sizeof *cases->first, err);
    if (status != SAE_OK)
        return status;
    for (size_t c = 0; c < models->n; c++)
        cases->first[c + 1] = saei_add(cases->first[c], models->profiles[c]->n_prompts);
    cases->n = cases->first[models->n];
    status = saei_alloc(&cases->model, context, cases->n, sizeof *cases->model, err);
    if (status == SAE_OK)
        status = saei_alloc(&cases->prompt, context, cases->n, sizeof *cases->prompt, err);
    if (status == SAE_OK)
        status = saei_alloc(&cases->bad, context, cases->n, sizeof *cases->bad, err);
    if (status == SAE_OK)
        status = saei_alloc(&values, context, cases->n, sizeof *values, err);
    if (status != SAE_OK)
        return status;
    for (size_t c = 0; c < models->n; c++)
        for (size_t i = cases->first[c]; i < cases->first[c + 1]; i++) {
            cases->model[i] = (uint32_t)c;
            cases->bad[i] = models->bad[c];
        }
    status = number_prompts(cases, values, err);
    if (status == SAE_OK)
        status = make_folds(cases, values, err);
    saei_free(context, values);
    return status;
}

sae_status saei_cases_new(saei_cases **out, const saei_models *models, sae_error *err)
{
    *out = NULL;
    sae_status status = check(models, err);
    if (status != SAE_OK)
        return status;
    saei_cases *cases;
    sae_context *context = models->profiles[0]->context;
    status = saei_alloc(&cases, context, 1, sizeof *cases, err);
    if (status != SAE_OK)
        return status;
    *cases = (saei_cases){.context = context, .models = models};
    status = fill(cases, err);
    if (status != SAE_OK) {
        saei_cases_free(cases);
        return status;
    }
    *out = cases;
    return SAE_OK;
}

void saei_cases_free(saei_cases *cases)
{
    if (cases == NULL)
        return;
    saei_free(cases->context, cases->by_prompt_domain.fold);
    saei_free(cases->context, cases->by_domain.fold);
    saei_free(cases->context, cases->by_model.fold);
    saei_free(cases->context, cases->bad);
    saei_free(cases->context, cases->prompt);
    saei_free(cases->context, cases->model);
    saei_free(cases->context, cases->first);
    saei_free(cases->context, cases);
}

void saei_cases_add(double *score, const saei_cases *cases, uint32_t latent)
{
    for (size_t c = 0; c < cases->models->n; c++) {
        const saei_profile *p = cases->models->profiles[c];
        for (uint64_t i = p->ptr[latent]; i < p->ptr[latent + 1]; i++)
            score[cases->first[c] + p->prompt[i]] += p->activation[i];
    }
}
