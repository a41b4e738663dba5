#include "diff/bootstrap.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"

#include <math.h>

/* Bytes of both tables: more latents take more calls. */
enum { TABLE_BYTES = 1 << 26 };

sae_status saei_bootstrap_alloc(saei_bootstrap *bootstrap, const saei_effects *effects, size_t n_latents,
                                const saei_resampling *resampling, sae_error *err)
{
    size_t row = saei_mul((size_t)resampling->draws, sizeof(double));
    *bootstrap = (saei_bootstrap){.effects = effects,
                                  .resampling = resampling,
                                  .capacity = saei_min_size(n_latents, 1 + TABLE_BYTES / 2 / row),
                                  .to_come = n_latents};
    sae_context *context = effects->context;
    size_t scratch = saei_mul(sae_context_threads(context), saei_effects_units(effects));
    sae_status status =
        saei_draws_alloc(&bootstrap->draws, effects, SAEI_DRAW_BOOTSTRAP, resampling->seed, err);
    if (status == SAE_OK)
        status = saei_alloc(&bootstrap->squares, context, scratch, sizeof *bootstrap->squares, err);
    if (status == SAE_OK)
        status = saei_alloc(&bootstrap->estimate, context, bootstrap->capacity, row, err);
    if (status == SAE_OK)
        status = saei_alloc(&bootstrap->se, context, bootstrap->capacity, row, err);
    return status;
}

void saei_bootstrap_release(saei_bootstrap *bootstrap)
{
    if (bootstrap->effects == NULL)
        return;
    sae_context *context = bootstrap->effects->context;
    saei_free(context, bootstrap->se);
    saei_free(context, bootstrap->estimate);
    saei_free(context, bootstrap->squares);
    saei_draws_release(&bootstrap->draws);
}

/* Values of one side, which has n prompts: adds Σ w v to mean and the squared error of this mean to variance,
 * for the 64 draws of a block. Weights of X are negative. */
static void add_side(double *mean, double *variance, const double *weights, const uint32_t *unit,
                     const double *value, double *square, size_t n_values, size_t n)
{
    _Alignas(64) double first[SAEI_DRAWS], second[SAEI_DRAWS];
    for (size_t i = 0; i < n_values; i++)
        square[i] = value[i] * value[i];
    saei_draw_sums(first, weights, unit, value, n_values);
    saei_draw_sums(second, weights, unit, square, n_values);
    for (size_t b = 0; b < SAEI_DRAWS; b++) {
        double mean_square = fabs(second[b]), spread = mean_square - first[b] * first[b];
        mean[b] += first[b];
        /* What rounding leaves of equal values is no spread. */
        if (spread > 1e-12 * mean_square)
            variance[b] += spread / (double)(n - 1);
    }
}

static void draw_latent(const saei_bootstrap *run, size_t i, size_t block, double *square)
{
    const saei_effects *effects = run->effects;
    const double *weights = saei_draws_block(&run->draws, block);
    size_t j = run->latents[i], draws = (size_t)run->resampling->draws;
    uint64_t first = effects->ptr[j], end = effects->ptr[j + 1], split = first;
    while (split < end && effects->unit[split] < effects->n_y)
        split++;
    double mean[SAEI_DRAWS] = {0}, variance[SAEI_DRAWS] = {0};
    add_side(mean, variance, weights, effects->unit + first, effects->value + first, square,
             (size_t)(split - first), effects->n_y);
    if (!effects->paired)
        add_side(mean, variance, weights, effects->unit + split, effects->value + split, square,
                 (size_t)(end - split), effects->n_x);
    size_t done = (size_t)run->done + block * SAEI_DRAWS;
    for (size_t b = 0; b < SAEI_DRAWS && done + b < draws; b++) {
        run->estimate[i * draws + done + b] = mean[b];
        run->se[i * draws + done + b] = sqrt(variance[b]);
    }
}

static void draw_tile(void *arg, size_t tile, unsigned worker)
{
    const saei_bootstrap *run = arg;
    double *square = run->squares + worker * run->draws.units;
    size_t first = tile * SAEI_TILE_LATENTS, end = first + SAEI_TILE_LATENTS;
    for (size_t block = 0; block < run->n_blocks; block++)
        for (size_t i = first; i < end && i < run->n_latents; i++)
            draw_latent(run, i, block, square);
}

sae_status saei_bootstrap_fill(saei_bootstrap *bootstrap, const uint32_t *latents, size_t n, sae_error *err)
{
    const saei_resampling *r = bootstrap->resampling;
    size_t tiles = (n + SAEI_TILE_LATENTS - 1) / SAEI_TILE_LATENTS;
    bootstrap->latents = latents;
    bootstrap->n_latents = n;
    for (bootstrap->done = 0; bootstrap->done < r->draws;
         bootstrap->done += bootstrap->n_blocks * SAEI_DRAWS) {
        uint64_t blocks = 1 + (r->draws - bootstrap->done - 1) / SAEI_DRAWS;
        bootstrap->n_blocks = blocks < bootstrap->draws.capacity ? (size_t)blocks : bootstrap->draws.capacity;
        saei_draws_make(&bootstrap->draws, bootstrap->done / SAEI_DRAWS, bootstrap->n_blocks);
        saei_parallel_for(bootstrap->effects->context, tiles, draw_tile, bootstrap);
        uint64_t done = bootstrap->reported * r->draws + bootstrap->done * n;
        if (r->progress != NULL &&
            r->progress(r->progress_user, "bootstrap", done, bootstrap->to_come * r->draws) != 0)
            return saei_fail(err, SAE_STOPPED, "stopped in the bootstrap");
    }
    bootstrap->reported += n;
    return SAE_OK;
}
