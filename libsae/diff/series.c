#include "diff/series.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/contrast.h"
#include "diff/multiplicity.h"
#include "diff/profile_select.h"

#include <math.h>

static sae_status check_condition(const saei_series *s, size_t k, sae_error *err)
{
    if (!isfinite(s->at[k]) || (k > 0 && !(s->at[k] > s->at[k - 1])))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "condition %zu of a series is at %g: doses and steps must ascend", k + 1, s->at[k]);
    if (s->profiles[k]->n_latents != s->control->n_latents)
        return saei_fail(err, SAE_E_MISMATCH, "condition %zu of a series has %zu latents, its control %zu",
                         k + 1, s->profiles[k]->n_latents, s->control->n_latents);
    if (s->paired[k] && s->profiles[k]->n_prompts != s->control->n_prompts)
        return saei_fail(err, SAE_E_MISMATCH,
                         "condition %zu of a series has %zu prompts, its control %zu: they cannot be paired",
                         k + 1, s->profiles[k]->n_prompts, s->control->n_prompts);
    return SAE_OK;
}

sae_status saei_series_check(const saei_series *s, sae_error *err)
{
    if (s->n == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "a series needs at least one condition beside its control");
    if (!(s->alpha > 0 && s->alpha < 1))
        return saei_fail(err, SAE_E_ARGUMENT, "alpha %g: must lie between 0 and 1", s->alpha);
    sae_status status = SAE_OK;
    for (size_t k = 0; status == SAE_OK && k < s->n; k++)
        status = check_condition(s, k, err);
    for (size_t c = 0; status == SAE_OK && c < s->n_controls; c++)
        if (s->controls[c]->n_latents != s->control->n_latents)
            status =
                saei_fail(err, SAE_E_MISMATCH, "control run %zu of a series has %zu latents, the control %zu",
                          c + 1, s->controls[c]->n_latents, s->control->n_latents);
    return status;
}

sae_status saei_series_part_new(saei_series_part *part, const saei_series *series, sae_error *err)
{
    *part = (saei_series_part){.series = *series, .context = series->control->context};
    sae_status status = saei_series_check(series, err);
    if (status != SAE_OK)
        return status;
    part->model_latents = series->control->n_latents;
    if (series->latents == NULL) {
        part->series.n_latents = part->model_latents;
        return SAE_OK;
    }
    status = saei_alloc(&part->owned, series->control->context, series->n + 1, sizeof *part->owned, err);
    for (size_t k = 0; status == SAE_OK && k <= series->n; k++)
        status = saei_profile_select(&part->owned[k], k < series->n ? series->profiles[k] : series->control,
                                     series->latents, series->n_latents, NULL, 0, err);
    if (status != SAE_OK)
        return status;
    part->series.profiles = (const saei_profile *const *)part->owned;
    part->series.control = part->owned[series->n];
    return SAE_OK;
}

void saei_series_part_release(saei_series_part *part)
{
    for (size_t k = 0; part->owned != NULL && k <= part->series.n; k++)
        saei_profile_free(part->owned[k]);
    saei_free(part->context, part->owned);
    part->owned = NULL;
}

uint64_t saei_series_draws(const saei_series_part *part)
{
    if (part->series.permutations > 0)
        return part->series.permutations;
    uint64_t wanted = 40 * (uint64_t)saei_mul(part->model_latents, part->series.n);
    return wanted < 10000 ? 10000 : wanted > 1000000 ? 1000000 : wanted;
}

double saei_series_spread(const saei_series *series, uint32_t latent)
{
    double least = (double)INFINITY, most = -(double)INFINITY;
    for (size_t c = 0; c < series->n_controls; c++) {
        double mean = saei_profile_latent_mean(series->controls[c], latent);
        least = fmin(least, mean);
        most = fmax(most, mean);
    }
    return series->n_controls > 1 ? most - least : (double)NAN;
}

/* Estimates of condition k, and its p in column[latent]. */
static sae_status compare(sae_series_point *points, double *column, const saei_effects *effects,
                          const saei_series_part *part, size_t k, sae_error *err)
{
    const saei_series *s = &part->series;
    for (size_t j = 0; j < s->n_latents; j++) {
        sae_contrast c;
        saei_contrast_moments(&c, effects, j);
        points[j * s->n + k] = (sae_series_point){.at = s->at[k],
                                                  .mean = saei_profile_latent_mean(s->profiles[k], j),
                                                  .rise = c.estimate,
                                                  .se = c.se,
                                                  .fit = (double)NAN};
    }
    saei_resampling r = {.seed = s->seed,
                         .draws = saei_series_draws(part),
                         .one_sided = true,
                         .progress = s->progress,
                         .progress_user = s->progress_user};
    sae_status status = saei_permutation_p(column, effects, &r, err);
    for (size_t j = 0; status == SAE_OK && j < s->n_latents; j++)
        points[j * s->n + k].p = column[j];
    return status;
}

/* column [2, latents]: scratch. */
static sae_status correct(sae_series_point *points, double *column, const saei_series_part *part,
                          sae_error *err)
{
    size_t n = part->series.n, n_latents = part->series.n_latents;
    sae_context *context = part->series.control->context;
    double *p;
    sae_status status = saei_alloc(&p, context, saei_mul(2, n), sizeof *p, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; status == SAE_OK && j < n_latents; j++) {
        for (size_t k = 0; k < n; k++)
            p[k] = points[j * n + k].p;
        status = saei_holm(p + n, p, n, context, err);
        for (size_t k = 0; k < n; k++)
            points[j * n + k].p_holm = p[n + k];
    }
    saei_free(context, p);
    for (size_t k = 0; status == SAE_OK && k < n; k++) {
        for (size_t j = 0; j < n_latents; j++)
            column[j] = points[j * n + k].p_holm;
        status = saei_false_discovery_among(column + n_latents, column, n_latents, part->model_latents,
                                            context, err);
        for (size_t j = 0; status == SAE_OK && j < n_latents; j++)
            points[j * n + k].q = column[n_latents + j];
    }
    return status;
}

sae_status saei_series_points(sae_series_point *points, saei_effects **effects, const saei_series_part *part,
                              sae_error *err)
{
    const saei_series *s = &part->series;
    double *column;
    for (size_t k = 0; effects != NULL && k < s->n; k++)
        effects[k] = NULL;
    sae_status status =
        saei_alloc(&column, s->control->context, saei_mul(2, s->n_latents), sizeof *column, err);
    for (size_t k = 0; status == SAE_OK && k < s->n; k++) {
        saei_effects *now;
        status = saei_effects_new(&now, s->profiles[k], s->control, s->paired[k], err);
        if (status == SAE_OK)
            status = compare(points, column, now, part, k, err);
        if (effects != NULL)
            effects[k] = now;
        else
            saei_effects_free(now);
    }
    if (status == SAE_OK)
        status = correct(points, column, part, err);
    saei_free(s->control->context, column);
    return status;
}
