#include "diff/dose_response.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/combination.h"
#include "diff/fisher_exact.h"
#include "diff/isotonic.h"
#include "diff/multiplicity.h"
#include "diff/profile_select.h"
#include "diff/resample.h"

#include <math.h>

/* Without trials nothing says how exact a rate is; a twentieth of all answers is beyond most judges' noise.
 */
static const double SHOWN_ABOVE_CONTROL = 0.05;

static sae_status check_rates(const saei_doses *doses, sae_error *err)
{
    sae_status status = saei_series_check(&doses->series, err);
    if (status != SAE_OK)
        return status;
    if (!(doses->series.at[0] > doses->control_dose))
        return saei_fail(err, SAE_E_ARGUMENT, "dose %g does not lie above the control's %g",
                         doses->series.at[0], doses->control_dose);
    for (size_t k = 0; doses->rate != NULL && k <= doses->series.n; k++)
        if (doses->rate[k] < 0 || doses->rate[k] > 1)
            return saei_fail(err, SAE_E_ARGUMENT, "behaviour rate %g: a share between 0 and 1 is wanted",
                             doses->rate[k]);
    return SAE_OK;
}

/* p of dose k against the control, NaN where either was not measured. */
static double rate_p(const saei_doses *doses, size_t k)
{
    double control = doses->rate[0], rate = doses->rate[k];
    uint64_t n0 = doses->trials[0], n = doses->trials[k];
    if (isnan(control) || isnan(rate) || n0 == 0 || n == 0)
        return (double)NAN;
    uint64_t hits = (uint64_t)llround(rate * (double)n), hits0 = (uint64_t)llround(control * (double)n0);
    return saei_fisher_upper(hits, n, hits + hits0, n + n0);
}

static sae_status tested_onset(sae_behaviour *behaviour, const saei_doses *doses, sae_error *err)
{
    size_t n = doses->series.n;
    sae_context *context = doses->series.control->context;
    double *p;
    sae_status status = saei_alloc(&p, context, saei_mul(2, n), sizeof *p, err);
    if (status != SAE_OK)
        return status;
    for (size_t k = 0; k < n; k++)
        p[k] = rate_p(doses, k + 1);
    status = saei_holm(p + n, p, n, context, err);
    for (size_t k = n; status == SAE_OK && k-- > 0;)
        if (p[n + k] < doses->series.alpha)
            behaviour->dose = doses->series.at[k];
    saei_free(context, p);
    return status;
}

sae_status saei_behaviour_onset(sae_behaviour *behaviour, const saei_doses *doses, sae_error *err)
{
    *behaviour = (sae_behaviour){(double)NAN, (double)NAN};
    sae_status status = check_rates(doses, err);
    if (status != SAE_OK || doses->rate == NULL)
        return status;
    if (doses->threshold <= 0 && doses->trials != NULL)
        return tested_onset(behaviour, doses, err);
    behaviour->threshold = doses->threshold > 0 ? doses->threshold : doses->rate[0] + SHOWN_ABOVE_CONTROL;
    for (size_t k = doses->series.n; k-- > 0;)
        if (doses->rate[k + 1] >= behaviour->threshold)
            behaviour->dose = doses->series.at[k];
    return SAE_OK;
}

/* The squared errors weigh the doses, the smallest of them standing in for 0, which would outweigh all. */
static void weigh(double *weight, const sae_series_point *points, size_t n)
{
    double least = (double)INFINITY;
    for (size_t k = 0; k < n; k++)
        if (points[k].se > 0)
            least = fmin(least, points[k].se);
    for (size_t k = 0; k < n; k++) {
        double se = points[k].se > 0 ? points[k].se : least;
        weight[k] = isfinite(least) ? 1 / (se * se) : 1;
    }
}

/* scratch [4 n]. */
static void fit_shape(sae_dose_response *out, sae_series_point *points, const saei_doses *doses,
                      double *scratch)
{
    size_t n = doses->series.n;
    double *weight = scratch, *rise = scratch + n, *fit = scratch + 2 * n, *dose = scratch + 3 * n;
    weigh(weight, points, n);
    for (size_t k = 0; k < n; k++) {
        rise[k] = points[k].rise;
        dose[k] = points[k].at;
    }
    saei_isotonic_fit(fit, rise, weight, n, 0);
    for (size_t k = 0; k < n; k++)
        points[k].fit = fit[k];
    out->half_dose = out->trend_p < doses->series.alpha && fit[n - 1] > 0
                         ? saei_first_crossing(doses->control_dose, 0, dose, fit, n, fit[n - 1] / 2)
                         : (double)NAN;
}

static void find_onsets(sae_dose_response *out, const sae_series_point *points, const saei_series *series,
                        double behavioural)
{
    out->spread = saei_series_spread(series, out->latent);
    out->onset = out->onset_q = out->onset_beyond = (double)NAN;
    for (size_t k = series->n; k-- > 0;) {
        if (points[k].p_holm < series->alpha)
            out->onset = points[k].at;
        if (points[k].p_holm < series->alpha && points[k].rise > out->spread)
            out->onset_beyond = points[k].at;
        if (points[k].q < series->alpha)
            out->onset_q = points[k].at;
    }
    out->lead_ratio = behavioural / out->onset;
    out->lead_difference = behavioural - out->onset;
}

/* Coefficients of the slope over the ranks 0 … n of the control and the doses. */
static void rank_slope(double *coefficient, size_t n)
{
    double middle = (double)n / 2, squares = 0;
    for (size_t k = 0; k <= n; k++)
        squares += ((double)k - middle) * ((double)k - middle);
    for (size_t k = 0; k <= n; k++)
        coefficient[k] = ((double)k - middle) / squares;
}

static bool all_paired(const saei_series *s)
{
    for (size_t k = 0; k < s->n; k++)
        if (!s->paired[k])
            return false;
    return true;
}

/* p [2, latents]: p and q of the trend. */
static sae_status test_trend(double *p, const saei_series_part *part, const saei_profile **profiles,
                             const double *coefficient, sae_error *err)
{
    const saei_series *s = &part->series;
    saei_effects *effects;
    sae_status status = saei_combination_new(&effects, profiles, coefficient, s->n + 1, all_paired(s), err);
    if (status != SAE_OK)
        return status;
    saei_resampling r = {.seed = s->seed,
                         .draws = saei_series_draws(part),
                         .one_sided = true,
                         .progress = s->progress,
                         .progress_user = s->progress_user};
    status = saei_permutation_p(p, effects, &r, err);
    if (status == SAE_OK)
        status = saei_false_discovery_among(p + s->n_latents, p, s->n_latents, part->model_latents,
                                            s->control->context, err);
    saei_effects_free(effects);
    return status;
}

static sae_status add_trend(sae_dose_response *responses, const saei_series_part *part, sae_error *err)
{
    const saei_series *s = &part->series;
    sae_context *context = s->control->context;
    const saei_profile **profiles = NULL;
    double *coefficient = NULL, *p = NULL;
    sae_status status = saei_alloc(&profiles, context, s->n + 1, sizeof *profiles, err);
    if (status == SAE_OK)
        status = saei_alloc(&coefficient, context, s->n + 1, sizeof *coefficient, err);
    if (status == SAE_OK)
        status = saei_alloc(&p, context, saei_mul(2, s->n_latents), sizeof *p, err);
    if (status == SAE_OK) {
        for (size_t k = 0; k <= s->n; k++)
            profiles[k] = k == 0 ? s->control : s->profiles[k - 1];
        rank_slope(coefficient, s->n);
        status = test_trend(p, part, profiles, coefficient, err);
    }
    for (size_t j = 0; status == SAE_OK && j < s->n_latents; j++) {
        responses[j] = (sae_dose_response){
            .latent = saei_series_latent(part, j), .trend_p = p[j], .trend_q = p[s->n_latents + j]};
        for (size_t k = 0; k <= s->n; k++)
            responses[j].trend += coefficient[k] * saei_profile_latent_mean(profiles[k], j);
    }
    saei_free(context, p);
    saei_free(context, coefficient);
    saei_free(context, profiles);
    return status;
}

sae_status saei_dose_response(sae_dose_response *responses, sae_series_point *points,
                              sae_behaviour *behaviour, const saei_doses *doses, sae_error *err)
{
    sae_context *context = doses->series.control->context;
    saei_series_part part;
    sae_behaviour shown;
    double *scratch = NULL;
    sae_status status = saei_series_part_new(&part, &doses->series, err);
    if (status == SAE_OK)
        status = saei_behaviour_onset(&shown, doses, err);
    if (status == SAE_OK)
        status = saei_series_points(points, NULL, &part, err);
    if (status == SAE_OK)
        status = saei_alloc(&scratch, context, saei_mul(4, doses->series.n), sizeof *scratch, err);
    if (status == SAE_OK)
        status = add_trend(responses, &part, err);
    for (size_t j = 0; status == SAE_OK && j < part.series.n_latents; j++) {
        sae_series_point *of_latent = points + j * doses->series.n;
        find_onsets(&responses[j], of_latent, &doses->series, shown.dose);
        fit_shape(&responses[j], of_latent, doses, scratch);
    }
    if (status == SAE_OK && behaviour != NULL)
        *behaviour = shown;
    saei_free(context, scratch);
    saei_series_part_release(&part);
    return status;
}
