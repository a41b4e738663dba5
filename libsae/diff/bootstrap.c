#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/draws.h"
#include "diff/resample.h"
#include "num/order.h"

#include <math.h>

/* Bytes of the table of draws: latents are taken in as many passes as it needs. */
enum { TABLE_BYTES = 1 << 26 };

typedef struct bootstrap {
    const saei_effects *effects;
    const saei_resampling *resampling;
    saei_draws draws;
    uint64_t done;
    size_t n_blocks, first_latent, n_latents; /* latents of the present pass */
    double *table;                            /* [latents of a pass, resampling->draws] */
    double lower, upper, *low, *high;
} bootstrap;

static void draw_latent(const bootstrap *run, size_t i, size_t block)
{
    const saei_effects *effects = run->effects;
    size_t j = run->first_latent + i, draws = (size_t)run->resampling->draws;
    uint64_t first = effects->ptr[j];
    _Alignas(64) double sums[SAEI_DRAWS];
    saei_draw_sums(sums, saei_draws_block(&run->draws, block), effects->unit + first, effects->value + first,
                   (size_t)(effects->ptr[j + 1] - first));
    size_t done = (size_t)run->done + block * SAEI_DRAWS;
    for (size_t b = 0; b < SAEI_DRAWS && done + b < draws; b++)
        run->table[i * draws + done + b] = sums[b];
}

static void draw_tile(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const bootstrap *run = arg;
    size_t first = tile * SAEI_TILE_LATENTS, end = first + SAEI_TILE_LATENTS;
    for (size_t block = 0; block < run->n_blocks; block++)
        for (size_t i = first; i < end && i < run->n_latents; i++)
            draw_latent(run, i, block);
}

static void take_quantiles(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const bootstrap *run = arg;
    size_t draws = (size_t)run->resampling->draws;
    double *drawn = run->table + i * draws;
    run->low[run->first_latent + i] = saei_quantile(drawn, draws, run->lower);
    run->high[run->first_latent + i] = saei_quantile(drawn, draws, run->upper);
}

static sae_status run_pass(bootstrap *run, sae_error *err)
{
    const saei_resampling *r = run->resampling;
    size_t tiles = (run->n_latents + SAEI_TILE_LATENTS - 1) / SAEI_TILE_LATENTS;
    uint64_t total = r->draws * run->effects->n_latents;
    for (run->done = 0; run->done < r->draws; run->done += run->n_blocks * SAEI_DRAWS) {
        uint64_t blocks = 1 + (r->draws - run->done - 1) / SAEI_DRAWS;
        run->n_blocks = blocks < run->draws.capacity ? (size_t)blocks : run->draws.capacity;
        saei_draws_make(&run->draws, run->done / SAEI_DRAWS, run->n_blocks);
        saei_parallel_for(run->effects->context, tiles, draw_tile, run);
        uint64_t done = run->first_latent * r->draws + run->done * run->n_latents;
        if (r->progress != NULL && r->progress(r->progress_user, "bootstrap", done, total) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped in the bootstrap");
    }
    saei_parallel_for(run->effects->context, run->n_latents, take_quantiles, run);
    return SAE_OK;
}

sae_status saei_bootstrap_interval(double *low, double *high, const saei_effects *effects, double confidence,
                                   const saei_resampling *resampling, sae_error *err)
{
    size_t n_latents = effects->n_latents;
    if (resampling->draws == 0) {
        for (size_t j = 0; j < n_latents; j++)
            low[j] = high[j] = (double)NAN;
        return SAE_OK;
    }
    bootstrap run = {.effects = effects,
                     .resampling = resampling,
                     .lower = (1 - confidence) / 2,
                     .upper = 1 - (1 - confidence) / 2,
                     .low = low,
                     .high = high};
    size_t row = saei_mul((size_t)resampling->draws, sizeof *run.table), pass = 1 + TABLE_BYTES / row;
    if (pass > n_latents)
        pass = n_latents;
    sae_status status = saei_draws_alloc(&run.draws, effects, SAEI_DRAW_BOOTSTRAP, resampling->seed, err);
    if (status == SAE_OK)
        status = saei_alloc(&run.table, effects->context, pass, row, err);
    for (; status == SAE_OK && run.first_latent < n_latents; run.first_latent += pass) {
        run.n_latents = n_latents - run.first_latent < pass ? n_latents - run.first_latent : pass;
        status = run_pass(&run, err);
    }
    saei_free(effects->context, run.table);
    saei_draws_release(&run.draws);
    return status;
}
