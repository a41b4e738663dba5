#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "diff/draws.h"
#include "diff/resample.h"

#include <math.h>

typedef struct permutation {
    const saei_effects *effects;
    const saei_resampling *resampling;
    saei_draws draws;
    uint64_t done;   /* draws before the present group */
    size_t n_blocks; /* of the present group */
    uint32_t *open;  /* latents not settled yet */
    size_t n_open;
    double *threshold;  /* [F] */
    uint32_t *exceeded; /* [F] */
    double *p;          /* [F]; 0 while open */
} permutation;

/* Draws of one block in their order, up to the one that settles the latent or the last that is wanted. */
static void count_draws(permutation *run, uint32_t j, const double *sums, uint64_t done)
{
    uint64_t left = run->resampling->draws - done;
    for (uint64_t b = 0; b < SAEI_DRAWS && b < left; b++) {
        double extreme = run->resampling->one_sided ? sums[b] : fabs(sums[b]);
        if (!(extreme >= run->threshold[j]))
            continue;
        if (++run->exceeded[j] == SAEI_EXCEEDANCES) {
            run->p[j] = (double)SAEI_EXCEEDANCES / (double)(done + b + 1);
            return;
        }
    }
}

static void test_latent(permutation *run, uint32_t j, size_t block)
{
    uint64_t first = run->effects->ptr[j];
    _Alignas(64) double sums[SAEI_DRAWS];
    saei_draw_sums(sums, saei_draws_block(&run->draws, block), run->effects->unit + first,
                   run->effects->value + first, (size_t)(run->effects->ptr[j + 1] - first));
    count_draws(run, j, sums, run->done + block * SAEI_DRAWS);
}

/* Blocks outside, latents inside: the weights of a block serve several latents while they are in cache. */
static void test_tile(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    permutation *run = arg;
    size_t first = tile * SAEI_TILE_LATENTS, end = first + SAEI_TILE_LATENTS;
    for (size_t block = 0; block < run->n_blocks; block++)
        for (size_t i = first; i < end && i < run->n_open; i++)
            if (run->p[run->open[i]] == 0)
                test_latent(run, run->open[i], block);
}

static void drop_settled(permutation *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < run->n_open; i++)
        if (run->p[run->open[i]] == 0)
            run->open[kept++] = run->open[i];
    run->n_open = kept;
}

static sae_status run_draws(permutation *run, sae_error *err)
{
    const saei_resampling *r = run->resampling;
    while (run->done < r->draws && run->n_open > 0) {
        uint64_t blocks = 1 + (r->draws - run->done - 1) / SAEI_DRAWS;
        run->n_blocks = blocks < run->draws.capacity ? (size_t)blocks : run->draws.capacity;
        saei_draws_make(&run->draws, run->done / SAEI_DRAWS, run->n_blocks);
        size_t tiles = (run->n_open + SAEI_TILE_LATENTS - 1) / SAEI_TILE_LATENTS;
        saei_parallel_for(run->effects->context, tiles, test_tile, run);
        run->done += run->n_blocks * SAEI_DRAWS;
        drop_settled(run);
        uint64_t done = run->done < r->draws ? run->done : r->draws;
        if (r->progress != NULL && r->progress(r->progress_user, "permuting", done, r->draws) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped in the permutation test");
    }
    for (size_t i = 0; i < run->n_open; i++) {
        uint32_t j = run->open[i];
        run->p[j] = (double)(run->exceeded[j] + 1) / ((double)r->draws + 1);
    }
    return SAE_OK;
}

static sae_status prepare(permutation *run, sae_error *err)
{
    const saei_effects *effects = run->effects;
    size_t n_latents = effects->n_latents;
    sae_status status = saei_draws_alloc(&run->draws, effects, SAEI_DRAW_PERMUTE, run->resampling->seed, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->open, effects->context, n_latents, sizeof *run->open, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->threshold, effects->context, n_latents, sizeof *run->threshold, err);
    if (status == SAE_OK)
        status = saei_alloc(&run->exceeded, effects->context, n_latents, sizeof *run->exceeded, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < n_latents; j++) {
        bool has_values = effects->ptr[j + 1] > effects->ptr[j];
        run->p[j] = has_values ? 0 : 1;
        double estimate = saei_effects_estimate(effects, j), size = fabs(estimate);
        run->threshold[j] = (run->resampling->one_sided ? estimate : size) - 1e-12 * size;
        if (has_values)
            run->open[run->n_open++] = (uint32_t)j;
    }
    return SAE_OK;
}

sae_status saei_permutation_p(double *p, const saei_effects *effects, const saei_resampling *resampling,
                              sae_error *err)
{
    permutation run = {.effects = effects, .resampling = resampling, .p = p};
    sae_status status = prepare(&run, err);
    if (status == SAE_OK)
        status = run_draws(&run, err);
    saei_free(effects->context, run.exceeded);
    saei_free(effects->context, run.threshold);
    saei_free(effects->context, run.open);
    saei_draws_release(&run.draws);
    return status;
}
