#include "base/memory.h"
#include "base/parallel.h"
#include "diff/bootstrap.h"
#include "diff/contrast.h"
#include "diff/rank_interval.h"
#include "num/order.h"

#include <math.h>

typedef struct intervals {
    const saei_bootstrap *bootstrap;
    const uint32_t *latents; /* of the present tables */
    double confidence, *low, *high;
} intervals;

/* |t| of a draw about the estimate of the data. Without any spread among the drawn prompts it is 0 or ∞. */
static double studentised(double drawn, double estimate, double se)
{
    double difference = fabs(drawn - estimate);
    if (difference <= 1e-12 * fabs(estimate))
        return 0;
    return se > 0 ? difference / se : (double)INFINITY;
}

/* estimate ± se · (the quantile of |t|); the table of se is used up. */
static void take_interval(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const intervals *task = arg;
    const saei_bootstrap *bootstrap = task->bootstrap;
    size_t draws = (size_t)bootstrap->resampling->draws, j = task->latents[i];
    const double *drawn = bootstrap->estimate + i * draws;
    double *t = bootstrap->se + i * draws;
    sae_contrast contrast;
    saei_contrast_moments(&contrast, bootstrap->effects, j);
    for (size_t b = 0; b < draws; b++)
        t[b] = studentised(drawn[b], contrast.estimate, t[b]);
    size_t wanted = (size_t)ceil(task->confidence * ((double)draws + 1));
    double quantile = saei_select(t, draws, saei_min_size(wanted, draws) - 1);
    double half = contrast.se == 0 ? 0 : quantile * contrast.se;
    task->low[j] = contrast.estimate - half;
    task->high[j] = contrast.estimate + half;
}

/* Latents without a value: 0, as sure as the prompts that kept them silent. latents gets the others. */
static size_t set_silent(uint32_t *latents, double *low, double *high, const saei_effects *effects)
{
    size_t n = 0;
    bool too_few = effects->n_y < 2 || (!effects->paired && effects->n_x < 2);
    for (size_t j = 0; j < effects->n_latents; j++) {
        low[j] = high[j] = too_few ? (double)NAN : 0;
        if (!too_few && effects->ptr[j + 1] > effects->ptr[j])
            latents[n++] = (uint32_t)j;
    }
    return n;
}

static sae_status run(double *low, double *high, saei_rank_race *race, const uint32_t *latents, size_t n,
                      const saei_effects *effects, double confidence, const saei_resampling *resampling,
                      sae_error *err)
{
    saei_bootstrap bootstrap;
    sae_status status = saei_bootstrap_alloc(&bootstrap, effects, n, resampling, err);
    for (size_t i = 0; status == SAE_OK && i < n; i += bootstrap.capacity) {
        size_t now = saei_min_size(n - i, bootstrap.capacity);
        status = saei_bootstrap_fill(&bootstrap, latents + i, now, err);
        if (status != SAE_OK)
            break;
        if (race != NULL)
            saei_rank_race_run(race, &bootstrap, now);
        intervals task = {&bootstrap, latents + i, confidence, low, high};
        saei_parallel_for(effects->context, now, take_interval, &task);
    }
    saei_bootstrap_release(&bootstrap);
    return status;
}

sae_status saei_bootstrap_interval_and_race(double *low, double *high, saei_rank_race *race,
                                            const saei_effects *effects, double confidence,
                                            const saei_resampling *resampling, sae_error *err)
{
    size_t n_latents = effects->n_latents;
    if (resampling->draws == 0) {
        for (size_t j = 0; j < n_latents; j++)
            low[j] = high[j] = (double)NAN;
        return SAE_OK;
    }
    uint32_t *latents;
    sae_status status = saei_alloc(&latents, effects->context, n_latents, sizeof *latents, err);
    if (status != SAE_OK)
        return status;
    size_t n = set_silent(latents, low, high, effects);
    if (n > 0)
        status = run(low, high, race, latents, n, effects, confidence, resampling, err);
    saei_free(effects->context, latents);
    return status;
}

sae_status saei_bootstrap_interval(double *low, double *high, const saei_effects *effects, double confidence,
                                   const saei_resampling *resampling, sae_error *err)
{
    return saei_bootstrap_interval_and_race(low, high, NULL, effects, confidence, resampling, err);
}
