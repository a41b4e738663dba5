#include "diff/family.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/draws.h"
#include "num/order.h"

#include <math.h>

typedef struct family {
    const saei_effects *effects;
    const saei_resampling *resampling;
    saei_draws draws;
    double *inverse; /* [F] 1 / σ; 0 where σ is 0 */
    double *bound;   /* [F] no permutation makes |U| larger */
    double *maxima;  /* [resampling->draws] */
    uint64_t done;
} family;

double saei_permutation_sd(const saei_effects *effects, size_t latent)
{
    uint64_t first = effects->ptr[latent], end = effects->ptr[latent + 1];
    double n_y = (double)effects->n_y, n_x = (double)effects->n_x, n = n_y + n_x, sum = 0, squares = 0;
    if (effects->paired) {
        for (uint64_t i = first; i < end; i++)
            squares += effects->value[i] * effects->value[i];
        return sqrt(squares) / n_y;
    }
    for (uint64_t i = first; i < end; i++)
        sum += effects->value[i];
    double mean = sum / n;
    squares = (n - (double)(end - first)) * mean * mean;
    for (uint64_t i = first; i < end; i++)
        squares += (effects->value[i] - mean) * (effects->value[i] - mean);
    return sqrt(squares / (n - 1) * (1 / n_y + 1 / n_x));
}

/* |T| ≤ Σ |v| times the largest weight. */
static double largest_estimate(const saei_effects *effects, size_t latent)
{
    double sum = 0;
    size_t fewest = effects->paired ? effects->n_y : saei_min_size(effects->n_y, effects->n_x);
    for (uint64_t i = effects->ptr[latent]; i < effects->ptr[latent + 1]; i++)
        sum += fabs(effects->value[i]);
    return sum / (double)fewest;
}

static sae_status prepare(family *run, sae_error *err)
{
    const saei_effects *effects = run->effects;
    size_t n = effects->n_latents;
    sae_status status = saei_draws_alloc(&run->draws, effects, SAEI_DRAW_PERMUTE, run->resampling->seed, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->inverse, effects->context, n, sizeof *run->inverse, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->bound, effects->context, n, sizeof *run->bound, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->maxima, effects->context, (size_t)run->resampling->draws,
                            sizeof *run->maxima, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < n; j++) {
        double sd = saei_permutation_sd(effects, j);
        run->inverse[j] = sd > 0 ? 1 / sd : 0;
        /* Sums in another order may pass the bound by a rounding. */
        run->bound[j] = largest_estimate(effects, j) * run->inverse[j] * (1 + 1e-9);
    }
    return SAE_OK;
}

static double least_of(const double *values)
{
    double least = values[0];
    for (size_t b = 1; b < SAEI_DRAWS; b++)
        least = values[b] < least ? values[b] : least;
    return least;
}

/* Latents that cannot reach the maximum of any of the 64 draws are passed over: among sparse latents, most.
 */
static void maximise_block(void *arg, size_t block, unsigned worker)
{
    (void)worker;
    const family *run = arg;
    const saei_effects *effects = run->effects;
    _Alignas(64) double sums[SAEI_DRAWS];
    double most[SAEI_DRAWS] = {0}, least = 0;
    for (size_t j = 0; j < effects->n_latents; j++) {
        if (!(run->bound[j] > least))
            continue;
        uint64_t first = effects->ptr[j];
        saei_draw_sums(sums, saei_draws_block(&run->draws, block), effects->unit + first,
                       effects->value + first, (size_t)(effects->ptr[j + 1] - first));
        for (size_t b = 0; b < SAEI_DRAWS; b++) {
            double u = fabs(sums[b]) * run->inverse[j];
            most[b] = u > most[b] ? u : most[b];
        }
        least = least_of(most);
    }
    uint64_t done = run->done + block * SAEI_DRAWS;
    for (uint64_t b = 0; b < SAEI_DRAWS && done + b < run->resampling->draws; b++)
        run->maxima[done + b] = most[b];
}

static sae_status run_draws(family *run, sae_error *err)
{
    const saei_resampling *r = run->resampling;
    while (run->done < r->draws) {
        uint64_t blocks = 1 + (r->draws - run->done - 1) / SAEI_DRAWS;
        size_t n = blocks < run->draws.capacity ? (size_t)blocks : run->draws.capacity;
        saei_draws_make(&run->draws, run->done / SAEI_DRAWS, n);
        saei_parallel_for(run->effects->context, n, maximise_block, run);
        run->done += n * SAEI_DRAWS;
        uint64_t done = run->done < r->draws ? run->done : r->draws;
        if (r->progress != NULL && r->progress(r->progress_user, "maxima", done, r->draws) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped in the permutations of the maximum");
    }
    return SAE_OK;
}

/* How many of the n ascending maxima reach the value. */
static size_t count_reaching(const double *maxima, size_t n, double value)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (maxima[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return n - low;
}

sae_status saei_family_p(double *p, const saei_effects *effects, const saei_resampling *resampling,
                         sae_error *err)
{
    size_t n_latents = effects->n_latents, draws = (size_t)resampling->draws;
    for (size_t j = 0; j < n_latents; j++)
        p[j] = (double)NAN;
    if (draws == 0)
        return SAE_OK;
    family run = {.effects = effects, .resampling = resampling};
    sae_status status = prepare(&run, err);
    if (status == SAE_OK)
        status = run_draws(&run, err);
    if (status == SAE_OK)
        saei_sort_doubles(run.maxima, draws);
    for (size_t j = 0; status == SAE_OK && j < n_latents; j++) {
        double u = fabs(saei_effects_estimate(effects, j)) * run.inverse[j] * (1 - 1e-12);
        p[j] = (1 + (double)count_reaching(run.maxima, draws, u)) / ((double)draws + 1);
    }
    saei_free(effects->context, run.maxima);
    saei_free(effects->context, run.bound);
    saei_free(effects->context, run.inverse);
    saei_draws_release(&run.draws);
    return status;
}
