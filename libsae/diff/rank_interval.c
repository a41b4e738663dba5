#include "diff/rank_interval.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/order.h"

#include <math.h>

static double key_of(double estimate, sae_direction direction)
{
    return direction == SAE_RISING ? estimate : direction == SAE_FALLING ? -estimate : fabs(estimate);
}

/* How many of the n ascending keys are below the value or, with `equal`, not above it. */
static size_t count_below(const double *key, size_t n, double value, bool equal)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key[middle] < value || (equal && key[middle] == value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sort_draw(void *arg, size_t draw, unsigned worker)
{
    (void)worker;
    const saei_rank_race *race = arg;
    size_t n = race->n_candidates;
    double *key = race->key + draw * n;
    for (size_t c = 0; c < n; c++)
        key[c] = race->own[c * race->n_draws + draw];
    saei_sort_doubles(key, n);
    race->ahead[draw * (n + 1) + count_below(key, n, 0, false)] = race->n_silent;
}

static uint32_t count_silent(const saei_effects *effects)
{
    uint32_t silent = 0;
    for (size_t j = 0; j < effects->n_latents; j++)
        silent += effects->ptr[j + 1] == effects->ptr[j];
    return silent;
}

static sae_status draw_candidates(saei_rank_race *race, const uint32_t *candidates,
                                  const saei_resampling *resampling, sae_error *err)
{
    saei_resampling quiet = *resampling;
    quiet.progress = NULL;
    saei_bootstrap bootstrap;
    size_t n = race->n_candidates, draws = race->n_draws;
    sae_status status = saei_bootstrap_alloc(&bootstrap, race->effects, n, &quiet, err);
    for (size_t first = 0; status == SAE_OK && first < n; first += bootstrap.capacity) {
        size_t now = saei_min_size(n - first, bootstrap.capacity);
        status = saei_bootstrap_fill(&bootstrap, candidates + first, now, err);
        for (size_t i = 0; status == SAE_OK && i < now * draws; i++)
            race->own[first * draws + i] = key_of(bootstrap.estimate[i], race->direction);
    }
    saei_bootstrap_release(&bootstrap);
    return status;
}

sae_status saei_rank_race_alloc(saei_rank_race *race, const saei_effects *effects, const uint32_t *candidates,
                                size_t n_candidates, sae_direction direction,
                                const saei_resampling *resampling, sae_error *err)
{
    sae_context *context = effects->context;
    size_t draws = (size_t)resampling->draws, n = saei_mul(draws, n_candidates);
    *race = (saei_rank_race){.effects = effects,
                             .direction = direction,
                             .n_silent = count_silent(effects),
                             .n_candidates = n_candidates,
                             .n_draws = draws};
    sae_status status = saei_alloc(&race->own, context, n, sizeof *race->own, err);
    if (status == SAE_OK)
        status = saei_alloc(&race->key, context, n, sizeof *race->key, err);
    if (status == SAE_OK)
        status = saei_alloc(&race->ahead, context, saei_add(n, draws), sizeof *race->ahead, err);
    if (status == SAE_OK)
        status = draw_candidates(race, candidates, resampling, err);
    if (status == SAE_OK)
        saei_parallel_for(context, draws, sort_draw, race);
    return status;
}

void saei_rank_race_release(saei_rank_race *race)
{
    if (race->effects == NULL)
        return;
    saei_free(race->effects->context, race->ahead);
    saei_free(race->effects->context, race->key);
    saei_free(race->effects->context, race->own);
}

typedef struct lap {
    saei_rank_race *race;
    const saei_bootstrap *bootstrap;
    size_t n;
} lap;

/* Draws are the tasks: no two of them count in the same place, and neighbours are neighbours in the tables.
 */
static void run_draws(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const lap *l = arg;
    const saei_rank_race *race = l->race;
    size_t n = race->n_candidates, first = task * SAEI_DRAWS,
           end = saei_min_size(first + SAEI_DRAWS, race->n_draws);
    for (size_t i = 0; i < l->n; i++)
        for (size_t draw = first; draw < end; draw++) {
            double key = key_of(l->bootstrap->estimate[i * race->n_draws + draw], race->direction);
            const double *keys = race->key + draw * n;
            if (key > keys[0])
                race->ahead[draw * (n + 1) + count_below(keys, n, key, false)]++;
        }
}

void saei_rank_race_run(saei_rank_race *race, const saei_bootstrap *bootstrap, size_t n)
{
    size_t tasks = (race->n_draws + SAEI_DRAWS - 1) / SAEI_DRAWS;
    saei_parallel_for(race->effects->context, tasks, run_draws, &(lap){race, bootstrap, n});
}

/* ahead becomes the number of latents ahead of at least so many candidates. */
static void add_up(void *arg, size_t draw, unsigned worker)
{
    (void)worker;
    const saei_rank_race *race = arg;
    uint32_t *ahead = race->ahead + draw * (race->n_candidates + 1);
    for (size_t k = race->n_candidates; k-- > 0;)
        ahead[k] += ahead[k + 1];
}

typedef struct finish {
    saei_rank_race *race;
    saei_rank_interval *intervals;
    double confidence;
} finish;

static void finish_candidate(void *arg, size_t c, unsigned worker)
{
    (void)worker;
    const finish *f = arg;
    const saei_rank_race *race = f->race;
    size_t n = race->n_candidates, draws = race->n_draws;
    double *rank = race->own + c * draws;
    for (size_t draw = 0; draw < draws; draw++) {
        size_t behind = count_below(race->key + draw * n, n, rank[draw], true);
        rank[draw] = 1.0 + race->ahead[draw * (n + 1) + behind];
    }
    double tail = (1 - f->confidence) / 2, last = (double)(draws - 1);
    f->intervals[c].low = saei_select(rank, draws, (size_t)floor(tail * last));
    f->intervals[c].high = saei_select(rank, draws, (size_t)ceil((1 - tail) * last));
}

void saei_rank_race_finish(saei_rank_interval *intervals, saei_rank_race *race, double confidence)
{
    sae_context *context = race->effects->context;
    saei_parallel_for(context, race->n_draws, add_up, race);
    saei_parallel_for(context, race->n_candidates, finish_candidate, &(finish){race, intervals, confidence});
}
