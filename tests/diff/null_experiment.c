/* Under a true null hypothesis p-values are uniform and false alarms rare: on the shipped dumps,
   (a) before and after swapped at random per prompt, (b) random halves of the prompts of one dump.
   usage: null_experiment [DRAWS]. Exit status 1 when a promise of docs/METHODS.md is broken. */
#include "base/memory.h"
#include "base/rng.h"
#include "diff/multiplicity.h"
#include "diff/contrast.h"
#include "num/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(sae_status status, const sae_error *err)
{
    if (status == SAE_OK)
        return;
    fprintf(stderr, "null_experiment: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static saei_profile *profile_of(sae_context *context, const sae_model *model, const char *path)
{
    sae_dump *dump;
    sae_error err;
    saei_profile *profile;
    sae_fidelity fidelity;
    require(sae_dump_open(&dump, context, &path, 1, NULL, &err), &err);
    require(saei_profile_read(&profile, &fidelity, model, dump, "prompt_id", NULL, NULL, NULL, &err), &err);
    sae_dump_free(dump);
    return profile;
}

/* The effects with the sign of each prompt drawn anew. */
static void swap_sides(saei_effects *effects, const double *value, uint64_t draw)
{
    saei_rng rng = saei_rng_new(draw, SAEI_STREAM_ROWS, 0);
    double *sign = malloc(effects->n_y * sizeof *sign);
    for (size_t p = 0; p < effects->n_y; p++)
        sign[p] = saei_rng_below(&rng, 2) == 1 ? 1 : -1;
    for (uint64_t i = 0; i < effects->ptr[effects->n_latents]; i++)
        effects->value[i] = value[i] * sign[effects->unit[i]];
    free(sign);
}

/* Prompts dealt to two halves: unit numbers of the first below n_y. */
static void deal_halves(saei_effects *effects, const saei_profile *profile, uint64_t draw)
{
    size_t n = profile->n_prompts;
    saei_rng rng = saei_rng_new(draw, SAEI_STREAM_ROWS, 1);
    uint64_t *unit = malloc(n * sizeof *unit);
    for (size_t p = 0; p < n; p++)
        unit[p] = p;
    saei_rng_shuffle(&rng, unit, n);
    for (size_t j = 0; j < profile->n_latents; j++) {
        uint64_t front = profile->ptr[j];
        for (int side = 0; side < 2; side++)
            for (uint64_t i = profile->ptr[j]; i < profile->ptr[j + 1]; i++)
                if ((unit[profile->prompt[i]] >= effects->n_y) == side) {
                    effects->unit[front] = (uint32_t)unit[profile->prompt[i]];
                    effects->value[front++] = profile->activation[i];
                }
    }
    free(unit);
}

/* Limit of the distribution of Kolmogorov's statistic: P(√n D > x), with Stephens' correction for finite n.
 */
static double ks_p(double *p, size_t n)
{
    saei_sort_doubles(p, n);
    double d = 0, root = sqrt((double)n), sum = 0;
    for (size_t i = 0; i < n; i++)
        d = fmax(d, fmax((double)(i + 1) / (double)n - p[i], p[i] - (double)i / (double)n));
    double x = d * (root + 0.12 + 0.11 / root);
    for (int k = 1; k <= 100; k++)
        sum += (k % 2 == 1 ? 2 : -2) * exp(-2.0 * k * k * x * x);
    return x < 0.2 ? 1 : fmin(sum, 1);
}

/* firing: whether a latent fires on at least 5 % of the prompts. */
static bool judge(const char *name, double *p, const bool *firing, size_t n_latents, size_t draws,
                  size_t alarms)
{
    size_t tested = 0, uniform = 0;
    for (size_t j = 0; j < n_latents; j++)
        if (firing[j]) {
            tested++;
            uniform += ks_p(p + j * draws, draws) > 0.01;
        }
    bool good =
        (double)uniform >= 0.97 * (double)tested && (double)alarms <= 0.08 * (double)draws && tested > 0;
    printf("%s: p uniform (KS p > 0.01) for %zu of %zu latents, q < 0.05 in %zu of %zu draws: %s\n", name,
           uniform, tested, alarms, draws, good ? "good" : "BROKEN");
    return good;
}

static bool run(const char *name, saei_effects *effects, const saei_profile *halves, const bool *firing,
                size_t draws)
{
    size_t n = effects->n_latents, alarms = 0;
    uint64_t total = effects->ptr[n];
    double *p = malloc(n * draws * sizeof *p), *now = malloc(2 * n * sizeof *now), *q = now + n;
    double *value = malloc((total > 0 ? total : 1) * sizeof *value);
    memcpy(value, effects->value, total * sizeof *value);
    for (size_t draw = 0; draw < draws; draw++) {
        if (halves != NULL)
            deal_halves(effects, halves, draw);
        else
            swap_sides(effects, value, draw);
        saei_resampling resampling = {.seed = draw, .draws = 40 * n};
        sae_error err;
        require(saei_permutation_p(now, effects, &resampling, &err), &err);
        require(saei_benjamini_hochberg(q, now, n, effects->context, &err), &err);
        bool alarm = false;
        for (size_t j = 0; j < n; j++) {
            p[j * draws + draw] = now[j];
            alarm = alarm || q[j] < 0.05;
        }
        alarms += alarm;
    }
    bool good = judge(name, p, firing, n, draws, alarms);
    free(value);
    free(now);
    free(p);
    return good;
}

static void mark_firing(bool *firing, const saei_profile *a, const saei_profile *b)
{
    for (size_t j = 0; j < a->n_latents; j++)
        firing[j] = 20 * (a->ptr[j + 1] - a->ptr[j]) >= a->n_prompts ||
                    20 * (b->ptr[j + 1] - b->ptr[j]) >= b->n_prompts;
}

int main(int argc, char **argv)
{
    size_t draws = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 200;
    sae_context *context;
    sae_model *model;
    sae_error err;
    require(sae_context_new(&context, NULL, &err), &err);
    require(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", &err),
        &err);
    saei_profile *base = profile_of(context, model, SOURCE_ROOT "/data/eval_base.h5");
    saei_profile *bad = profile_of(context, model, SOURCE_ROOT "/data/eval_dose100.h5");
    bool *firing = calloc(base->n_latents, sizeof *firing);
    saei_effects *swapped, *halved;
    require(saei_effects_new(&swapped, bad, base, true, &err), &err);
    mark_firing(firing, base, bad);
    bool good = run("sides swapped per prompt", swapped, NULL, firing, draws);
    saei_profile empty = {.n_prompts = base->n_prompts / 2, .n_latents = base->n_latents};
    empty.ptr = calloc(base->n_latents + 1, sizeof *empty.ptr);
    require(saei_effects_new(&halved, base, &empty, false, &err), &err);
    halved->n_y -= empty.n_prompts;
    mark_firing(firing, base, base);
    good = run("halves of one dump", halved, base, firing, draws) && good;
    free(empty.ptr);
    free(firing);
    saei_effects_free(halved);
    saei_effects_free(swapped);
    saei_profile_free(bad);
    saei_profile_free(base);
    sae_model_free(model);
    sae_context_free(context);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
