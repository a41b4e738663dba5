/* Under a true null hypothesis p-values are uniform and false alarms rare: on the shipped dumps,
   (a) before and after swapped at random per prompt, (b) random halves of the prompts of one dump. Intervals
   cover the truth: on simulated data (coverage.c).
   usage: null_experiment [SPLITS [SAMPLES]]. Exit status 1 when a promise of docs/METHODS.md is broken. */
#include "base/memory.h"
#include "base/rng.h"
#include "diff/confirmation.h"
#include "diff/contrast.h"
#include "diff/family.h"
#include "diff/multiplicity.h"
#include "num/order.h"
#include "coverage.h"

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

/* In how many splits anything was called at 5 %. */
typedef struct alarms {
    size_t q, family, heldout;
} alarms;

/* A share of `draws` that is 5 % in truth exceeds this once in a hundred times. */
static double five_percent(size_t draws)
{
    return 0.05 + 2.33 * sqrt(0.05 * 0.95 / (double)draws);
}

/* p of a latent on few prompts takes few values and cannot be uniform, so that only those on at least 5 % of
   the prompts are tested: 13 prompts have 2^12 values of p. Of them 1 % fall below KS p = 0.01 by chance, and
   they share prompts, so that some splits have more. */
static bool judge(const char *name, double *p, const bool *firing, size_t n_latents, size_t draws,
                  const alarms *found)
{
    size_t tested = 0, uniform = 0;
    for (size_t j = 0; j < n_latents; j++)
        if (firing[j]) {
            tested++;
            uniform += ks_p(p + j * draws, draws) > 0.01;
        }
    double n = (double)draws, limit = five_percent(draws);
    bool good = (double)uniform >= 0.97 * (double)tested && tested > 0 && (double)found->q <= limit * n &&
                (double)found->family <= limit * n && (double)found->heldout <= limit * n;
    printf("%s, %zu splits: p uniform (KS p > 0.01) for %zu of %zu latents (%.1f %%)\n"
           "    at least one latent with q < 0.05 in %.1f %% of the splits, p_family < 0.05 in %.1f %%, "
           "held-out "
           "p < 0.05 in %.1f %% (allowed %.1f %%): %s\n",
           name, draws, uniform, tested, 100 * (double)uniform / (double)tested, 100 * (double)found->q / n,
           100 * (double)found->family / n, 100 * (double)found->heldout / n, 100 * limit,
           good ? "good" : "BROKEN");
    return good;
}

static bool any_below(const double *values, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || values[i] < 0.05;
    return any;
}

static bool any_confirmed(const saei_effects *effects, uint64_t seed)
{
    size_t units = saei_effects_units(effects);
    double *id = malloc(units * sizeof *id);
    bool *second = malloc(units * sizeof *second), any = false;
    saei_confirmation *confirmed = malloc(effects->n_latents * sizeof *confirmed);
    for (size_t u = 0; u < units; u++)
        id[u] = (double)u;
    sae_error err;
    saei_confirmation_options options = {.select = 20, .resampling = {.seed = seed, .draws = 4000}};
    require(saei_split_prompts(second, id, units, NULL, 0, seed, effects->context, &err), &err);
    require(saei_confirm(confirmed, effects, second, &options, &err), &err);
    for (size_t j = 0; j < effects->n_latents; j++)
        any = any || confirmed[j].p < 0.05;
    free(confirmed);
    free(second);
    free(id);
    return any;
}

/* p [n_latents, draws], column `draw`. q [n_latents] is room. */
static void test_split(double *p, alarms *found, double *room, const saei_effects *effects, size_t draws,
                       uint64_t draw)
{
    size_t n = effects->n_latents;
    double *now = room, *other = room + n;
    saei_resampling resampling = {.seed = draw, .draws = 40 * n};
    sae_error err;
    require(saei_permutation_p(now, effects, &resampling, &err), &err);
    require(saei_benjamini_hochberg(other, now, n, effects->context, &err), &err);
    for (size_t j = 0; j < n; j++)
        p[j * draws + draw] = now[j];
    found->q += any_below(other, n);
    resampling.draws = 1000;
    require(saei_family_p(other, effects, &resampling, &err), &err);
    found->family += any_below(other, n);
    found->heldout += any_confirmed(effects, draw);
}

static bool run(const char *name, saei_effects *effects, const saei_profile *halves, const bool *firing,
                size_t draws)
{
    size_t n = effects->n_latents;
    uint64_t total = effects->ptr[n];
    double *p = malloc(n * draws * sizeof *p), *room = malloc(2 * n * sizeof *room);
    double *value = malloc((total > 0 ? total : 1) * sizeof *value);
    memcpy(value, effects->value, total * sizeof *value);
    alarms found = {0};
    for (size_t draw = 0; draw < draws; draw++) {
        if (halves != NULL)
            deal_halves(effects, halves, draw);
        else
            swap_sides(effects, value, draw);
        test_split(p, &found, room, effects, draws, draw);
    }
    bool good = judge(name, p, firing, n, draws, &found);
    free(value);
    free(room);
    free(p);
    return good;
}

static void mark_firing(bool *firing, const saei_profile *a, const saei_profile *b)
{
    for (size_t j = 0; j < a->n_latents; j++)
        firing[j] = 20 * (a->ptr[j + 1] - a->ptr[j]) >= a->n_prompts ||
                    20 * (b->ptr[j + 1] - b->ptr[j]) >= b->n_prompts;
}

static bool swapped(sae_context *context, const sae_model *model, size_t draws)
{
    saei_profile *one = profile_of(context, model, SOURCE_ROOT "/data/eval_dose000.h5");
    saei_profile *other = profile_of(context, model, SOURCE_ROOT "/data/eval_good_seed2.h5");
    bool *firing = calloc(one->n_latents, sizeof *firing);
    saei_effects *effects;
    sae_error err;
    require(saei_effects_new(&effects, other, one, true, &err), &err);
    mark_firing(firing, one, other);
    bool good = run("dose000 and good_seed2 swapped per prompt", effects, NULL, firing, draws);
    free(firing);
    saei_effects_free(effects);
    saei_profile_free(other);
    saei_profile_free(one);
    return good;
}

static bool halved(sae_context *context, const sae_model *model, size_t draws)
{
    saei_profile *base = profile_of(context, model, SOURCE_ROOT "/data/eval_base.h5");
    bool *firing = calloc(base->n_latents, sizeof *firing);
    saei_effects *effects;
    sae_error err;
    saei_profile empty = {.n_prompts = base->n_prompts / 2, .n_latents = base->n_latents};
    empty.ptr = calloc(base->n_latents + 1, sizeof *empty.ptr);
    require(saei_effects_new(&effects, base, &empty, false, &err), &err);
    effects->n_y -= empty.n_prompts;
    mark_firing(firing, base, base);
    bool good = run("halves of base", effects, base, firing, draws);
    free(empty.ptr);
    free(firing);
    saei_effects_free(effects);
    saei_profile_free(base);
    return good;
}

int main(int argc, char **argv)
{
    size_t splits = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1000;
    size_t samples = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 4000;
    sae_context *context;
    sae_model *model;
    sae_error err;
    require(sae_context_new(&context, NULL, &err), &err);
    require(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", &err),
        &err);
    bool good = intervals_cover(context, samples);
    good = swapped(context, model, splits) && good;
    good = halved(context, model, splits) && good;
    sae_model_free(model);
    sae_context_free(context);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
