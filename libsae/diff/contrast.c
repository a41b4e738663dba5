#include "diff/contrast.h"
#include "base/memory.h"
#include "diff/family.h"
#include "diff/multiplicity.h"
#include "num/order.h"

#include <math.h>

/* n values of which only n_values are not zero. */
typedef struct sparse_sample {
    const double *value;
    size_t n_values, n;
} sparse_sample;

static double mean_of(sparse_sample s)
{
    double sum = 0;
    for (size_t i = 0; i < s.n_values; i++)
        sum += s.value[i];
    return sum / (double)s.n;
}

/* Σ (v − mean)², the zeros included. */
static double deviations(sparse_sample s, double mean)
{
    double sum = (double)(s.n - s.n_values) * mean * mean;
    for (size_t i = 0; i < s.n_values; i++)
        sum += (s.value[i] - mean) * (s.value[i] - mean);
    return sum;
}

static void paired_moments(sae_contrast *out, sparse_sample d)
{
    double mean = mean_of(d), sd = sqrt(deviations(d, mean) / (double)(d.n - 1));
    out->estimate = mean;
    out->se = sd / sqrt((double)d.n);
    out->effect = sd == 0 ? 0 : mean / sd;
}

static void unpaired_moments(sae_contrast *out, sparse_sample y, sparse_sample x)
{
    double mean_y = mean_of(y), mean_x = mean_of(x), n_y = (double)y.n, n_x = (double)x.n;
    double dev_y = deviations(y, mean_y), dev_x = deviations(x, mean_x);
    double pooled = sqrt((dev_y + dev_x) / (n_y + n_x - 2));
    out->estimate = mean_y - mean_x;
    out->se = sqrt(dev_y / (n_y - 1) / n_y + dev_x / (n_x - 1) / n_x);
    out->effect = pooled == 0 ? 0 : out->estimate / pooled;
}

void saei_contrast_moments(sae_contrast *out, const saei_effects *effects, size_t latent)
{
    uint64_t first = effects->ptr[latent], end = effects->ptr[latent + 1], split = first;
    while (split < end && effects->unit[split] < effects->n_y)
        split++;
    sparse_sample y = {effects->value + first, (size_t)(split - first), effects->n_y};
    sparse_sample x = {effects->value + split, (size_t)(end - split), effects->n_x};
    if (effects->paired)
        paired_moments(out, y);
    else
        unpaired_moments(out, y, x);
}

sae_status saei_moderate(sae_contrast *contrasts, const saei_effects *effects, sae_error *err)
{
    size_t firing = 0;
    double *se;
    sae_status status = saei_alloc(&se, effects->context, effects->n_latents, sizeof *se, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < effects->n_latents; j++)
        if (effects->fires[j] && !isnan(contrasts[j].se))
            se[firing++] = contrasts[j].se;
    double s0 = firing > 0 ? saei_quantile(se, firing, 0.5) : 0;
    for (size_t j = 0; j < effects->n_latents; j++) {
        sae_contrast *c = &contrasts[j];
        c->t = c->estimate == 0 && !isnan(c->se) ? 0 : c->estimate / (c->se + s0);
    }
    saei_free(effects->context, se);
    return SAE_OK;
}

static sae_status intervals(double *low, double *high, const saei_effects *effects,
                            const saei_contrast_options *options, const saei_resampling *resampling,
                            sae_error *err)
{
    bool spread = effects->n_y > 1 && (effects->paired || effects->n_x > 1);
    if (options->n_candidates == 0 || resampling->draws == 0 || !spread)
        return saei_bootstrap_interval(low, high, effects, options->confidence, resampling, err);
    saei_rank_race race;
    sae_status status = saei_rank_race_alloc(&race, effects, options->candidates, options->n_candidates,
                                             options->direction, resampling, err);
    if (status == SAE_OK)
        status =
            saei_bootstrap_interval_and_race(low, high, &race, effects, options->confidence, resampling, err);
    if (status == SAE_OK)
        saei_rank_race_finish(options->rank_intervals, &race, options->confidence);
    saei_rank_race_release(&race);
    return status;
}

/* The resampled figures come as one array each: columns of `figures` [5, F] are low, high, p, q, p_family. */
static sae_status resample(double *figures, const saei_effects *effects, const saei_contrast_options *options,
                           sae_error *err)
{
    size_t n = effects->n_latents;
    saei_resampling r = {.seed = options->seed,
                         .draws = options->bootstrap,
                         .progress = options->progress,
                         .progress_user = options->progress_user};
    sae_status status = intervals(figures, figures + n, effects, options, &r, err);
    r.draws = options->permutations;
    if (status == SAE_OK)
        status = saei_permutation_p(figures + 2 * n, effects, &r, err);
    if (status == SAE_OK)
        status = saei_benjamini_hochberg(figures + 3 * n, figures + 2 * n, n, effects->context, err);
    r.draws = options->family_draws;
    return status == SAE_OK ? saei_family_p(figures + 4 * n, effects, &r, err) : status;
}

sae_status saei_contrast_all(sae_contrast *out, const saei_effects *effects,
                             const saei_contrast_options *options, sae_error *err)
{
    size_t n = effects->n_latents;
    double *figures;
    sae_status status = saei_alloc(&figures, effects->context, saei_mul(5, n), sizeof *figures, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < n; j++)
        saei_contrast_moments(&out[j], effects, j);
    status = saei_moderate(out, effects, err);
    if (status == SAE_OK)
        status = resample(figures, effects, options, err);
    for (size_t j = 0; j < n; j++) {
        out[j].low = figures[j];
        out[j].high = figures[n + j];
        out[j].p = figures[2 * n + j];
        out[j].q = figures[3 * n + j];
        out[j].p_family = figures[4 * n + j];
    }
    saei_free(effects->context, figures);
    return status;
}
