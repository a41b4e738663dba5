#include "diff/draws.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "diff/resample.h"

#include <string.h>

/* Weights of a group of blocks stay near the size of a second-level cache; the group is large enough to pay
   for the start of a parallel loop. */
enum { GROUP_DOUBLES = 1 << 19, GROUP_BLOCKS = 32 };

sae_status saei_draws_alloc(saei_draws *draws, const saei_effects *effects, saei_draw_kind kind,
                            uint64_t seed, sae_error *err)
{
    size_t units = saei_effects_units(effects), block = saei_mul(units, SAEI_DRAWS);
    size_t capacity = block < GROUP_DOUBLES / GROUP_BLOCKS ? GROUP_BLOCKS : 1 + GROUP_DOUBLES / block;
    *draws =
        (saei_draws){.effects = effects, .kind = kind, .seed = seed, .capacity = capacity, .units = units};
    sae_context *context = effects->context;
    sae_status status =
        saei_alloc(&draws->weights, context, saei_mul(capacity, block), sizeof *draws->weights, err);
    if (status == SAE_OK)
        status = saei_alloc(&draws->shuffled, context, saei_mul(sae_context_threads(context), units),
                            sizeof *draws->shuffled, err);
    return status;
}

void saei_draws_release(saei_draws *draws)
{
    if (draws->effects == NULL)
        return;
    saei_free(draws->effects->context, draws->shuffled);
    saei_free(draws->effects->context, draws->weights);
}

/* One random word gives a unit its signs in all 64 draws. */
static void flip_signs(double *weights, size_t n, saei_rng *rng)
{
    const double weight[2] = {-1 / (double)n, 1 / (double)n};
    for (size_t u = 0; u < n; u++) {
        uint64_t bits = saei_rng_next(rng);
        for (int b = 0; b < SAEI_DRAWS; b++)
            weights[u * SAEI_DRAWS + (size_t)b] = weight[bits >> b & 1];
    }
}

/* The front of a partial Fisher–Yates shuffle is the smaller sample; each draw goes on from the order of the
 * last. */
static void permute_labels(double *weights, size_t n_y, size_t n_x, saei_rng *rng, uint32_t *order)
{
    size_t units = n_y + n_x, n_front = n_y < n_x ? n_y : n_x;
    double in_y = 1 / (double)n_y, in_x = -1 / (double)n_x;
    double front = n_y < n_x ? in_y : in_x, back = n_y < n_x ? in_x : in_y;
    for (size_t i = 0; i < units; i++)
        order[i] = (uint32_t)i;
    for (size_t i = 0; i < units * SAEI_DRAWS; i++)
        weights[i] = back;
    for (size_t b = 0; b < SAEI_DRAWS; b++)
        for (size_t i = 0; i < n_front; i++) {
            size_t j = i + (size_t)saei_rng_below(rng, units - i);
            uint32_t taken = order[j];
            order[j] = order[i];
            order[i] = taken;
            weights[taken * SAEI_DRAWS + b] = front;
        }
}

/* Each draw goes on from the order of the last. */
static void deal_weights(double *weights, const double *weight, size_t n, saei_rng *rng, uint32_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t b = 0; b < SAEI_DRAWS; b++)
        for (size_t i = 0; i < n; i++) {
            size_t j = i + (size_t)saei_rng_below(rng, n - i);
            uint32_t taken = order[j];
            order[j] = order[i];
            order[i] = taken;
            weights[taken * SAEI_DRAWS + b] = weight[i];
        }
}

static void draw_with_replacement(double *weights, size_t n, double sign, saei_rng *rng)
{
    for (size_t b = 0; b < SAEI_DRAWS; b++)
        for (size_t i = 0; i < n; i++)
            weights[saei_rng_below(rng, n) * SAEI_DRAWS + b] += 1;
    for (size_t i = 0; i < n * SAEI_DRAWS; i++)
        weights[i] *= sign / (double)n;
}

typedef struct make_task {
    saei_draws *draws;
    uint64_t first;
} make_task;

static void make_block(void *arg, size_t i, unsigned worker)
{
    const make_task *task = arg;
    saei_draws *draws = task->draws;
    const saei_effects *effects = draws->effects;
    double *weights = draws->weights + i * draws->units * SAEI_DRAWS;
    saei_stream stream = draws->kind == SAEI_DRAW_PERMUTE ? SAEI_STREAM_PERMUTE : SAEI_STREAM_BOOTSTRAP;
    saei_rng rng = saei_rng_new(draws->seed, stream, task->first + i);
    if (draws->kind == SAEI_DRAW_BOOTSTRAP) {
        memset(weights, 0, draws->units * SAEI_DRAWS * sizeof *weights);
        draw_with_replacement(weights, effects->n_y, 1, &rng);
        if (!effects->paired)
            draw_with_replacement(weights + effects->n_y * SAEI_DRAWS, effects->n_x, -1, &rng);
    } else if (effects->weight != NULL) {
        deal_weights(weights, effects->weight, effects->n_y, &rng, draws->shuffled + worker * draws->units);
    } else if (effects->paired) {
        flip_signs(weights, effects->n_y, &rng);
    } else {
        permute_labels(weights, effects->n_y, effects->n_x, &rng, draws->shuffled + worker * draws->units);
    }
}

void saei_draws_make(saei_draws *draws, uint64_t first, size_t n)
{
    saei_parallel_for(draws->effects->context, n, make_block, &(make_task){draws, first});
}
