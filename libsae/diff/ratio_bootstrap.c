#include "diff/ratio_bootstrap.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/draws.h"
#include "num/order.h"

#include <math.h>

/* Bytes of the table of ratios: latents are taken in as many passes as it needs. */
enum { TABLE_BYTES = 1 << 26 };

typedef struct ratios {
    const saei_effects *numerator;
    const saei_effects *const *denominator;
    size_t n_draws;
    saei_draws draws;
    size_t done, n_blocks, first_latent;
    double *table; /* [latents of a pass, n_draws] */
    double lower, upper, *low, *high;
} ratios;

static bool comparable(const saei_effects *a, const saei_effects *b)
{
    return b != NULL && a->paired == b->paired && a->n_y == b->n_y && a->n_x == b->n_x;
}

static void sums_of(double *out, const ratios *run, const saei_effects *effects, size_t j, size_t block)
{
    uint64_t first = effects->ptr[j];
    saei_draw_sums(out, saei_draws_block(&run->draws, block), effects->unit + first, effects->value + first,
                   (size_t)(effects->ptr[j + 1] - first));
}

static void draw_latent(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const ratios *run = arg;
    size_t j = run->first_latent + i;
    if (!comparable(run->numerator, run->denominator[j]))
        return;
    _Alignas(64) double above[SAEI_DRAWS], below[SAEI_DRAWS];
    for (size_t block = 0; block < run->n_blocks; block++) {
        sums_of(above, run, run->numerator, j, block);
        sums_of(below, run, run->denominator[j], j, block);
        size_t done = run->done + block * SAEI_DRAWS;
        for (size_t b = 0; b < SAEI_DRAWS && done + b < run->n_draws; b++)
            run->table[i * run->n_draws + done + b] =
                below[b] == 0 ? copysign((double)INFINITY, above[b]) : above[b] / below[b];
    }
}

static void take_quantiles(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const ratios *run = arg;
    size_t j = run->first_latent + i;
    double *drawn = run->table + i * run->n_draws;
    bool known = comparable(run->numerator, run->denominator[j]);
    run->low[j] = known ? saei_quantile(drawn, run->n_draws, run->lower) : (double)NAN;
    run->high[j] = known ? saei_quantile(drawn, run->n_draws, run->upper) : (double)NAN;
}

static sae_status run_pass(ratios *run, size_t n_latents, const saei_resampling *r, sae_error *err)
{
    sae_context *context = run->numerator->context;
    for (run->done = 0; run->done < run->n_draws; run->done += run->n_blocks * SAEI_DRAWS) {
        size_t blocks = 1 + (run->n_draws - run->done - 1) / SAEI_DRAWS;
        run->n_blocks = saei_min_size(blocks, run->draws.capacity);
        saei_draws_make(&run->draws, run->done / SAEI_DRAWS, run->n_blocks);
        saei_parallel_for(context, n_latents, draw_latent, run);
        uint64_t done = (uint64_t)run->first_latent * run->n_draws + (uint64_t)run->done * n_latents;
        uint64_t total = (uint64_t)run->numerator->n_latents * run->n_draws;
        if (r->progress != NULL && r->progress(r->progress_user, "bootstrap", done, total) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped in the bootstrap");
    }
    saei_parallel_for(context, n_latents, take_quantiles, run);
    return SAE_OK;
}

sae_status saei_ratio_interval(double *low, double *high, const saei_effects *numerator,
                               const saei_effects *const *denominator, double confidence,
                               const saei_resampling *r, sae_error *err)
{
    size_t n = numerator->n_latents;
    for (size_t j = 0; j < n; j++)
        low[j] = high[j] = (double)NAN;
    if (r->draws == 0)
        return SAE_OK;
    ratios run = {.numerator = numerator,
                  .denominator = denominator,
                  .n_draws = (size_t)r->draws,
                  .lower = (1 - confidence) / 2,
                  .upper = 1 - (1 - confidence) / 2,
                  .low = low,
                  .high = high};
    size_t row = saei_mul(run.n_draws, sizeof *run.table), pass = saei_min_size(1 + TABLE_BYTES / row, n);
    sae_status status = saei_draws_alloc(&run.draws, numerator, SAEI_DRAW_BOOTSTRAP, r->seed, err);
    if (status == SAE_OK)
        status = saei_alloc(&run.table, numerator->context, pass, row, err);
    for (; status == SAE_OK && run.first_latent < n; run.first_latent += pass)
        status = run_pass(&run, saei_min_size(pass, n - run.first_latent), r, err);
    saei_free(numerator->context, run.table);
    saei_draws_release(&run.draws);
    return status;
}
