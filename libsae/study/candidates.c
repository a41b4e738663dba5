#include "study/candidates.h"
#include "base/memory.h"
#include "diff/score.h"
#include "model/model.h"

#include <math.h>
#include <string.h>

/* Latents that are taken from each condition by Δ alone. */
enum { FIRST_BY_RISE = 5 };

size_t saei_candidates_count(const saei_candidates *candidates)
{
    return candidates->clusters->n;
}

sae_cluster saei_candidates_at(const saei_candidates *candidates, size_t i)
{
    return sae_clusters_at(candidates->clusters, candidates->order[i]);
}

void saei_candidates_free(saei_candidates *candidates)
{
    if (candidates == NULL)
        return;
    for (size_t i = 0; candidates->mean != NULL && i < candidates->n_conditions; i++)
        saei_free(candidates->context, candidates->mean[i]);
    saei_free(candidates->context, candidates->mean);
    saei_free(candidates->context, candidates->order);
    saei_free(candidates->context, candidates->score);
    sae_clusters_free(candidates->clusters);
    saei_free(candidates->context, candidates);
}

static double mean_of(const saei_profile *profile, size_t latent)
{
    return saei_mean_over_prompts(profile, profile->activation, latent);
}

/* The smallest over the controls of mean(condition) − mean(control), of one latent; over the base without. */
static double rise_beyond(double *const *mean, const bool *is_control, const sae_study *study,
                          size_t condition, size_t latent)
{
    double most = -(double)INFINITY;
    for (size_t c = 0; c < study->n_conditions; c++)
        if (is_control[c])
            most = fmax(most, mean[c][latent]);
    if (isinf(most))
        most = mean[saei_study_base(study)][latent];
    return mean[condition][latent] - most;
}

/* What choosing needs; scores are [F]. */
typedef struct choice {
    const saei_candidates *candidates;
    const sae_study *study;
    bool *is_control; /* [conditions] of the condition at hand */
    double *score, *least;
    uint32_t *order, *chosen;
    bool *taken; /* [F] */
    size_t n, capacity;
} choice;

static void release(choice *c, sae_context *context)
{
    saei_free(context, c->taken);
    saei_free(context, c->chosen);
    saei_free(context, c->order);
    saei_free(context, c->least);
    saei_free(context, c->score);
    saei_free(context, c->is_control);
}

static sae_status prepare(choice *c, sae_context *context, size_t wanted, sae_error *err)
{
    size_t F = c->candidates->n_latents, n = c->study->n_conditions;
    c->capacity = saei_add(wanted, saei_mul(n, FIRST_BY_RISE));
    if (c->capacity > F)
        c->capacity = F;
    sae_status status = saei_alloc(&c->is_control, context, n, 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->score, context, F, sizeof *c->score, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->least, context, F, sizeof *c->least, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->order, context, F, sizeof *c->order, err);
    if (status == SAE_OK)
        status = saei_alloc(&c->chosen, context, c->capacity, sizeof *c->chosen, err);
    return status == SAE_OK ? saei_alloc(&c->taken, context, F, 1, err) : status;
}

/* Takes the first `wanted` latents by score that rise at all. */
static sae_status take_first(choice *c, const double *score, size_t wanted, sae_context *context,
                             sae_error *err)
{
    size_t F = c->candidates->n_latents;
    sae_status status = saei_order_scores(c->order, score, F, SAE_RISING, context, err);
    for (size_t i = 0; status == SAE_OK && i < F && i < wanted && c->n < c->capacity; i++) {
        uint32_t j = c->order[i];
        if (!(score[j] > 0))
            break;
        if (!c->taken[j])
            c->chosen[c->n++] = j;
        c->taken[j] = true;
    }
    return status;
}

static void fill_least_rise(choice *c)
{
    const sae_study *study = c->study;
    size_t F = c->candidates->n_latents;
    for (size_t j = 0; j < F; j++)
        c->least[j] = (double)INFINITY;
    for (size_t b = 0; b < study->n_conditions; b++) {
        if (study->conditions[b].role != SAE_ROLE_BAD)
            continue;
        saei_study_controls(c->is_control, study, b);
        for (size_t j = 0; j < F; j++)
            c->least[j] = fmin(c->least[j], rise_beyond(c->candidates->mean, c->is_control, study, b, j));
    }
}

static sae_status choose(choice *c, sae_context *context, size_t wanted, sae_error *err)
{
    size_t F = c->candidates->n_latents, base = saei_study_base(c->study);
    double *const *mean = c->candidates->mean;
    fill_least_rise(c);
    sae_status status = take_first(c, c->least, wanted, context, err);
    for (size_t b = 0; status == SAE_OK && b < c->study->n_conditions; b++) {
        if (b == base)
            continue;
        for (size_t j = 0; j < F; j++)
            c->score[j] = mean[b][j] - mean[base][j];
        status = take_first(c, c->score, FIRST_BY_RISE, context, err);
    }
    return status;
}

/* Those that were taken by Δ alone come last so far: all go by the score that ranks. */
static sae_status sort_chosen(choice *c, sae_context *context, sae_error *err)
{
    double *score;
    uint32_t *order = NULL;
    sae_status status = saei_alloc(&score, context, c->n, sizeof *score, err);
    if (status == SAE_OK)
        status = saei_alloc(&order, context, c->n, sizeof *order, err);
    for (size_t i = 0; status == SAE_OK && i < c->n; i++)
        score[i] = c->least[c->chosen[i]];
    if (status == SAE_OK)
        status = saei_order_scores(order, score, c->n, SAE_RISING, context, err);
    for (size_t i = 0; status == SAE_OK && i < c->n; i++)
        order[i] = c->chosen[order[i]];
    if (status == SAE_OK)
        memcpy(c->chosen, order, c->n * sizeof *order);
    saei_free(context, order);
    saei_free(context, score);
    return status;
}

static sae_status group(saei_candidates *candidates, const saei_readings *readings, const sae_model *model,
                        const choice *c, sae_error *err)
{
    const saei_profile **profiles;
    sae_status status = saei_alloc(&profiles, candidates->context, readings->n, sizeof *profiles, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < readings->n; i++)
        profiles[i] = readings->of[i].profile;
    status = saei_clusters_new(&candidates->clusters, model, profiles, readings->n, c->chosen, c->n,
                               SAEI_CLUSTER_THRESHOLD, err);
    saei_free(candidates->context, profiles);
    return status;
}

static sae_status fill_candidates(saei_candidates *candidates, const saei_readings *readings,
                                  const sae_model *model, size_t wanted, sae_error *err)
{
    sae_context *context = candidates->context;
    sae_status status = saei_alloc(&candidates->mean, context, readings->n, sizeof *candidates->mean, err);
    for (size_t i = 0; status == SAE_OK && i < readings->n; i++) {
        status = saei_alloc(&candidates->mean[i], context, candidates->n_latents, sizeof(double), err);
        for (size_t j = 0; status == SAE_OK && j < candidates->n_latents; j++)
            candidates->mean[i][j] = mean_of(readings->of[i].profile, j);
    }
    choice c = {.candidates = candidates, .study = readings->study};
    if (status == SAE_OK)
        status = prepare(&c, context, wanted, err);
    if (status == SAE_OK)
        status = choose(&c, context, wanted, err);
    if (status == SAE_OK)
        status = sort_chosen(&c, context, err);
    if (status == SAE_OK)
        status = group(candidates, readings, model, &c, err);
    release(&c, context);
    return status;
}

/* The smallest over the bad conditions, after merging. */
static double merged_score(const saei_readings *readings, bool *is_control, uint32_t lead)
{
    const sae_study *study = readings->study;
    double least = (double)INFINITY;
    for (size_t b = 0; b < study->n_conditions; b++) {
        if (study->conditions[b].role != SAE_ROLE_BAD)
            continue;
        double most = -(double)INFINITY;
        if (saei_study_controls(is_control, study, b) == 0)
            most = mean_of(readings->of[saei_study_base(study)].profile, lead);
        for (size_t c = 0; c < study->n_conditions; c++)
            if (is_control[c])
                most = fmax(most, mean_of(readings->of[c].profile, lead));
        least = fmin(least, mean_of(readings->of[b].profile, lead) - most);
    }
    return least;
}

/* Parts that were taken together may pass others. */
static sae_status order_clusters(saei_candidates *candidates, const saei_readings *readings, sae_error *err)
{
    sae_context *context = candidates->context;
    const sae_clusters *clusters = candidates->clusters;
    bool *is_control;
    double *score = NULL;
    sae_status status = saei_alloc(&is_control, context, readings->n, 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&score, context, clusters->n, sizeof *score, err);
    if (status == SAE_OK)
        status = saei_alloc(&candidates->score, context, clusters->n, sizeof *candidates->score, err);
    if (status == SAE_OK)
        status = saei_alloc(&candidates->order, context, clusters->n, sizeof *candidates->order, err);
    for (size_t i = 0; status == SAE_OK && i < clusters->n; i++)
        score[i] = merged_score(readings, is_control, clusters->latent[clusters->ptr[i]]);
    if (status == SAE_OK)
        status = saei_order_scores(candidates->order, score, clusters->n, SAE_RISING, context, err);
    for (size_t i = 0; status == SAE_OK && i < clusters->n; i++)
        candidates->score[i] = score[candidates->order[i]];
    saei_free(context, score);
    saei_free(context, is_control);
    return status;
}

sae_status saei_candidates_new(saei_candidates **out, saei_readings *readings, const sae_model *model,
                               size_t wanted, sae_error *err)
{
    *out = NULL;
    saei_candidates *candidates;
    sae_context *context = model->context;
    sae_status status = saei_alloc(&candidates, context, 1, sizeof *candidates, err);
    if (status != SAE_OK)
        return status;
    *candidates = (saei_candidates){
        .context = context, .n_conditions = readings->n, .n_latents = sae_model_latents(model)};
    status = fill_candidates(candidates, readings, model, wanted, err);
    if (status == SAE_OK)
        status = saei_merge_profiles(readings, candidates->clusters, candidates->n_latents, err);
    if (status == SAE_OK)
        status = order_clusters(candidates, readings, err);
    if (status != SAE_OK) {
        saei_candidates_free(candidates);
        return status;
    }
    *out = candidates;
    return SAE_OK;
}
