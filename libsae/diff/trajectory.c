#include "diff/trajectory.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/equivalence.h"
#include "diff/isotonic.h"
#include "diff/ratio_bootstrap.h"

#include <math.h>

static double onset(const sae_series_point *points, size_t n, double alpha, size_t sustain)
{
    size_t significant = 0; /* steps in a row, from the present one on */
    double found = (double)NAN;
    for (size_t k = n; k-- > 0;) {
        significant = points[k].p_holm < alpha ? significant + 1 : 0;
        size_t wanted = saei_min_size(saei_add(sustain, 1), n - k);
        if (significant >= wanted)
            found = points[k].at;
    }
    return found;
}

static size_t peak_of(const sae_series_point *points, size_t n)
{
    size_t peak = 0;
    for (size_t k = 1; k < n; k++)
        if (points[k].rise > points[peak].rise)
            peak = k;
    return peak;
}

/* scratch [2 n]. */
static double half_life(const sae_series_point *points, size_t n, size_t peak, double *scratch)
{
    double *step = scratch, *rise = scratch + n;
    for (size_t k = peak; k < n; k++) {
        step[k] = points[k].at;
        rise[k] = points[k].rise;
    }
    return saei_first_crossing(step[peak], rise[peak], step + peak, rise + peak, n - peak, rise[peak] / 2) -
           step[peak];
}

/* ln rise = a − rate · step by least squares, up to the first rise that has no logarithm. The error of ln
   rise is se / rise, so the weights are (rise / se)². */
static double fitted_half_life(const sae_series_point *points, size_t n, size_t peak)
{
    double w_sum = 0, x_sum = 0, y_sum = 0, xx = 0, xy = 0;
    size_t end = peak;
    while (end < n && points[end].rise > 0 && points[end].se > 0)
        end++;
    for (size_t k = peak; k < end; k++) {
        double w = pow(points[k].rise / points[k].se, 2);
        w_sum += w;
        x_sum += w * points[k].at;
        y_sum += w * log(points[k].rise);
    }
    for (size_t k = peak; k < end; k++) {
        double w = pow(points[k].rise / points[k].se, 2), dx = points[k].at - x_sum / w_sum;
        xx += w * dx * dx;
        xy += w * dx * (log(points[k].rise) - y_sum / w_sum);
    }
    return end - peak >= 2 && xy < 0 ? log(2) * xx / -xy : (double)NAN;
}

static double margin_of(const saei_steps *steps, uint32_t latent, double peak)
{
    return steps->margin > 0
               ? steps->margin
               : fmax(saei_series_spread(&steps->series, latent), steps->margin_share * fmax(peak, 0));
}

/* Everything but what needs draws. */
static void describe(sae_trajectory *out, const sae_series_point *points, const saei_steps *steps,
                     const saei_effects *last, size_t entry, uint32_t latent, double *scratch)
{
    const saei_series *s = &steps->series;
    size_t peak = peak_of(points, s->n);
    bool rises = points[peak].p_holm < s->alpha && points[peak].rise > 0;
    double nan = (double)NAN;
    *out = (sae_trajectory){.latent = latent,
                            .onset = onset(points, s->n, s->alpha, steps->sustain),
                            .peak = points[peak].rise,
                            .peak_at = points[peak].at,
                            .half_life = rises ? half_life(points, s->n, peak, scratch) : nan,
                            .half_life_fit = rises ? fitted_half_life(points, s->n, peak) : nan,
                            .remaining = rises ? points[s->n - 1].rise / points[peak].rise : nan,
                            .margin = margin_of(steps, latent, points[peak].rise)};
    out->p_equivalence = saei_equivalence_p(last, entry, out->margin);
    out->returned = out->p_equivalence < s->alpha;
}

/* The interval of what remains, and the test of the last step. */
static sae_status resample(sae_trajectory *trajectories, const saei_effects *const *effects,
                           const saei_series_part *part, const saei_steps *steps, sae_error *err)
{
    const saei_series *s = &part->series;
    sae_context *context = s->control->context;
    double *column = NULL; /* [3, latents] */
    const saei_effects **peak = NULL;
    size_t n = s->n_latents;
    sae_status status = saei_alloc(&column, context, saei_mul(3, n), sizeof *column, err);
    if (status == SAE_OK)
        status = saei_alloc(&peak, context, n, sizeof *peak, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++)
        for (size_t k = 0; k < s->n; k++)
            if (!isnan(trajectories[j].remaining) && s->at[k] == trajectories[j].peak_at)
                peak[j] = effects[k];
    saei_resampling r = {.seed = s->seed,
                         .draws = steps->bootstrap,
                         .progress = s->progress,
                         .progress_user = s->progress_user};
    if (status == SAE_OK)
        status = saei_ratio_interval(column, column + n, effects[s->n - 1], peak, steps->confidence, &r, err);
    r.draws = saei_series_draws(part);
    if (status == SAE_OK)
        status = saei_permutation_p(column + 2 * n, effects[s->n - 1], &r, err);
    for (size_t j = 0; status == SAE_OK && j < n; j++) {
        trajectories[j].remaining_low = column[j];
        trajectories[j].remaining_high = column[n + j];
        trajectories[j].p_difference = column[2 * n + j];
    }
    saei_free(context, peak);
    saei_free(context, column);
    return status;
}

static sae_status check(const saei_steps *steps, sae_error *err)
{
    if (!(steps->margin >= 0) || !(steps->margin_share >= 0))
        return saei_fail(err, SAE_E_ARGUMENT, "margin %g and margin share %g: neither may be negative",
                         steps->margin, steps->margin_share);
    if (!(steps->confidence > 0 && steps->confidence < 1))
        return saei_fail(err, SAE_E_ARGUMENT, "confidence %g: must lie between 0 and 1", steps->confidence);
    return SAE_OK;
}

sae_status saei_trajectory(sae_trajectory *trajectories, sae_series_point *points, const saei_steps *steps,
                           sae_error *err)
{
    size_t n = steps->series.n;
    sae_context *context = steps->series.control->context;
    saei_series_part part = {.series = steps->series, .context = context};
    saei_effects **effects = NULL;
    double *scratch = NULL;
    sae_status status = check(steps, err);
    if (status == SAE_OK)
        status = saei_series_part_new(&part, &steps->series, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects, context, n, sizeof *effects, err);
    if (status == SAE_OK)
        status = saei_alloc(&scratch, context, saei_mul(2, n), sizeof *scratch, err);
    if (status == SAE_OK)
        status = saei_series_points(points, effects, &part, err);
    for (size_t j = 0; status == SAE_OK && j < part.series.n_latents; j++)
        describe(&trajectories[j], points + j * n, steps, effects[n - 1], j, saei_series_latent(&part, j),
                 scratch);
    if (status == SAE_OK)
        status = resample(trajectories, (const saei_effects *const *)effects, &part, steps, err);
    for (size_t k = 0; effects != NULL && k < n; k++)
        saei_effects_free(effects[k]);
    saei_free(context, scratch);
    saei_free(context, effects);
    saei_series_part_release(&part);
    return status;
}
