#include "diff/confirmation.h"
#include "base/memory.h"
#include "diff/multiplicity.h"
#include "diff/score.h"

#include <math.h>

typedef struct confirmation_run {
    const saei_effects *effects;
    const bool *second;
    const saei_confirmation_options *options;
    double *score;    /* [F] estimate on the half that chooses */
    uint32_t *order;  /* [F]; the first n_chosen are tested */
    double *p, *holm; /* [select] */
    size_t n_chosen;
} confirmation_run;

/* Prompts of Y and X in a half. Paired: both are the prompts of the half. */
static void count_half(size_t n[2], const saei_effects *effects, const bool *second, bool half)
{
    n[0] = n[1] = 0;
    for (size_t u = 0; u < saei_effects_units(effects); u++)
        n[u >= effects->n_y] += second[u] == half;
    if (effects->paired)
        n[1] = n[0];
}

static double estimate_on_half(const saei_effects *effects, const bool *second, bool half, const size_t n[2],
                               size_t latent)
{
    double sum[2] = {0, 0};
    for (uint64_t i = effects->ptr[latent]; i < effects->ptr[latent + 1]; i++)
        if (second[effects->unit[i]] == half)
            sum[effects->unit[i] >= effects->n_y] += effects->value[i];
    double mean = sum[0] / (double)n[0];
    return effects->paired ? mean : mean - sum[1] / (double)n[1];
}

static bool moved(double score, sae_direction direction)
{
    return direction == SAE_RISING ? score > 0 : direction == SAE_FALLING ? score < 0 : score != 0;
}

static sae_status choose(confirmation_run *run, bool half, const size_t n[2], sae_error *err)
{
    const saei_effects *effects = run->effects;
    sae_direction direction = run->options->direction;
    for (size_t j = 0; j < effects->n_latents; j++)
        run->score[j] = estimate_on_half(effects, run->second, half, n, j);
    sae_status status =
        saei_order_scores(run->order, run->score, effects->n_latents, direction, effects->context, err);
    size_t most = saei_min_size(run->options->select, effects->n_latents);
    run->n_chosen = 0;
    while (status == SAE_OK && run->n_chosen < most &&
           moved(run->score[run->order[run->n_chosen]], direction))
        run->n_chosen++;
    return status;
}

static void copy_half(saei_effects *out, const confirmation_run *run, bool half, const uint32_t *number)
{
    const saei_effects *effects = run->effects;
    uint64_t n = 0;
    for (size_t c = 0; c < run->n_chosen; c++) {
        uint32_t j = run->order[c];
        double sign = run->score[j] < 0 ? -1 : 1;
        for (uint64_t i = effects->ptr[j]; i < effects->ptr[j + 1]; i++)
            if (run->second[effects->unit[i]] == half) {
                out->unit[n] = number[effects->unit[i]];
                out->value[n++] = sign * effects->value[i];
            }
        out->ptr[c + 1] = n;
        out->fires[c] = effects->fires[j];
    }
}

/* The chosen latents on the prompts of a half, with the signs that make the movement of each a rise. */
static sae_status effects_of_half(saei_effects **out, const confirmation_run *run, bool half,
                                  const size_t n[2], sae_error *err)
{
    const saei_effects *effects = run->effects;
    size_t units = saei_effects_units(effects), values = 0;
    for (size_t c = 0; c < run->n_chosen; c++)
        values += (size_t)(effects->ptr[run->order[c] + 1] - effects->ptr[run->order[c]]);
    uint32_t *number;
    sae_status status = saei_alloc(&number, effects->context, units, sizeof *number, err);
    if (status != SAE_OK)
        return status;
    for (size_t u = 0, next = 0; u < units; u++)
        number[u] = run->second[u] == half ? (uint32_t)next++ : 0;
    status = saei_effects_alloc(out, effects->context, effects->paired, n, run->n_chosen, values, err);
    if (status == SAE_OK)
        copy_half(*out, run, half, number);
    saei_free(effects->context, number);
    return status;
}

/* strength: the estimate as a movement in the direction in which the latent was chosen. */
static void record(saei_confirmation *out, double strength, double sign, double p)
{
    bool again = !isnan(out->p);
    if (!again || strength < sign * out->estimate)
        out->estimate = sign * strength;
    out->p = again ? fmax(out->p, p) : p;
}

static sae_status test_on(saei_confirmation *out, confirmation_run *run, bool half, const size_t n[2],
                          sae_error *err)
{
    saei_effects *effects;
    sae_status status = effects_of_half(&effects, run, half, n, err);
    if (status != SAE_OK)
        return status;
    saei_resampling resampling = run->options->resampling;
    resampling.one_sided = true;
    status = saei_permutation_p(run->p, effects, &resampling, err);
    if (status == SAE_OK)
        status = saei_holm(run->holm, run->p, run->n_chosen, effects->context, err);
    for (size_t c = 0; status == SAE_OK && c < run->n_chosen; c++) {
        uint32_t j = run->order[c];
        record(&out[j], saei_effects_estimate(effects, c), run->score[j] < 0 ? -1 : 1,
               fmin(2 * run->holm[c], 1));
    }
    saei_effects_free(effects);
    return status;
}

static sae_status both_ways(saei_confirmation *out, confirmation_run *run, sae_error *err)
{
    size_t n[2][2];
    for (int half = 0; half < 2; half++)
        count_half(n[half], run->effects, run->second, half == 1);
    if (n[0][0] == 0 || n[0][1] == 0 || n[1][0] == 0 || n[1][1] == 0)
        return SAE_OK;
    sae_status status = SAE_OK;
    for (int half = 0; status == SAE_OK && half < 2; half++) {
        status = choose(run, half == 1, n[half], err);
        if (status == SAE_OK && run->n_chosen > 0)
            status = test_on(out, run, half == 0, n[1 - half], err);
    }
    return status;
}

sae_status saei_confirm(saei_confirmation *out, const saei_effects *effects, const bool *second,
                        const saei_confirmation_options *options, sae_error *err)
{
    confirmation_run run = {.effects = effects, .second = second, .options = options};
    sae_context *context = effects->context;
    size_t n = effects->n_latents, most = saei_min_size(options->select, n);
    for (size_t j = 0; j < n; j++)
        out[j] = (saei_confirmation){(double)NAN, (double)NAN};
    if (most == 0)
        return SAE_OK;
    sae_status status = saei_alloc(&run.score, context, n, sizeof *run.score, err);
    if (status == SAE_OK)
        status = saei_alloc(&run.order, context, n, sizeof *run.order, err);
    if (status == SAE_OK)
        status = saei_alloc(&run.p, context, most, sizeof *run.p, err);
    if (status == SAE_OK)
        status = saei_alloc(&run.holm, context, most, sizeof *run.holm, err);
    if (status == SAE_OK)
        status = both_ways(out, &run, err);
    saei_free(context, run.holm);
    saei_free(context, run.p);
    saei_free(context, run.order);
    saei_free(context, run.score);
    return status;
}
