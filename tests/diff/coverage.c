/* Activations as SAEs have them: a latent is silent on most prompts; on the others some tokens fire, with
   strengths exp(σ z), z normal with a correlation of 0.9 between the tokens of a prompt. σ and the shares are
   those of the shipped dumps: on the prompts that fire, log means have a standard deviation of 0.35 … 0.85.
 */
#include "coverage.h"
#include "base/rng.h"
#include "diff/bootstrap.h"
#include "num/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BOOTSTRAP = 1000, KINDS = 8 };

/* The latent fires on a prompt with this chance after the fine-tuning, with half of it before. */
static const double share[KINDS] = {0.05, 0.05, 0.1, 0.1, 0.25, 0.25, 0.6, 0.6};
static const double sigma[KINDS] = {0.5, 0.8, 0.5, 0.8, 0.5, 0.8, 0.5, 0.8};
static const double correlation = 0.9, token_share = 0.3;

static void require(sae_status status, const sae_error *err)
{
    if (status == SAE_OK)
        return;
    fprintf(stderr, "coverage: %s\n", err->text);
    exit(EXIT_FAILURE);
}

/* Mean activation on a prompt of 8 to 39 tokens. common: what the prompt's tokens share, normal. */
static double prompt_mean(saei_rng *rng, double chance, double spread, double common)
{
    size_t tokens = 8 + (size_t)saei_rng_below(rng, 32);
    double sum = 0;
    if (!(saei_rng_uniform(rng) < chance))
        return 0;
    for (size_t i = 0; i < tokens; i++)
        if (saei_rng_uniform(rng) < token_share)
            sum += exp(spread * (sqrt(correlation) * common + sqrt(1 - correlation) * saei_rng_normal(rng)));
    return sum / (double)tokens;
}

static double true_difference(size_t kind)
{
    return share[kind] / 2 * token_share * exp(sigma[kind] * sigma[kind] / 2);
}

static void put(saei_effects *effects, uint64_t *n, size_t unit, double value)
{
    if (value == 0)
        return;
    effects->unit[*n] = (uint32_t)unit;
    effects->value[(*n)++] = value;
}

/* One latent of each kind; paired prompts have `common` on both sides. */
static void simulate(saei_effects *effects, saei_rng *rng)
{
    uint64_t n = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t p = 0; p < effects->n_y; p++) {
            double common = saei_rng_normal(rng), y = prompt_mean(rng, share[kind], sigma[kind], common);
            double x = effects->paired ? prompt_mean(rng, share[kind] / 2, sigma[kind], common) : 0;
            put(effects, &n, p, y - x);
        }
        for (size_t p = 0; p < effects->n_x && !effects->paired; p++)
            put(effects, &n, effects->n_y + p,
                prompt_mean(rng, share[kind] / 2, sigma[kind], saei_rng_normal(rng)));
        effects->ptr[kind + 1] = n;
        effects->fires[kind] = true;
    }
}

typedef struct coverage {
    size_t studentised, percentile;
} coverage;

static void count_percentile(coverage *covered, const saei_effects *effects,
                             const saei_resampling *resampling)
{
    saei_bootstrap bootstrap;
    sae_error err;
    uint32_t latents[KINDS];
    for (uint32_t j = 0; j < KINDS; j++)
        latents[j] = j;
    require(saei_bootstrap_alloc(&bootstrap, effects, KINDS, resampling, &err), &err);
    require(saei_bootstrap_fill(&bootstrap, latents, KINDS, &err), &err);
    for (size_t kind = 0; kind < KINDS; kind++) {
        double *drawn = bootstrap.estimate + kind * BOOTSTRAP, truth = true_difference(kind);
        covered[kind].percentile += saei_quantile(drawn, BOOTSTRAP, 0.025) <= truth &&
                                    truth <= saei_quantile(drawn, BOOTSTRAP, 0.975);
    }
    saei_bootstrap_release(&bootstrap);
}

static void cover(coverage covered[KINDS], sae_context *context, size_t prompts, bool paired, size_t samples)
{
    const size_t n[2] = {prompts, prompts};
    saei_effects *effects;
    sae_error err;
    require(saei_effects_alloc(&effects, context, paired, n, KINDS, 2 * KINDS * prompts, &err), &err);
    for (size_t sample = 0; sample < samples; sample++) {
        saei_rng rng = saei_rng_new(prompts * 2 + paired, SAEI_STREAM_ROWS, sample);
        simulate(effects, &rng);
        saei_resampling resampling = {.seed = sample, .draws = BOOTSTRAP};
        double low[KINDS], high[KINDS];
        require(saei_bootstrap_interval(low, high, effects, 0.95, &resampling, &err), &err);
        for (size_t kind = 0; kind < KINDS; kind++)
            covered[kind].studentised +=
                low[kind] <= true_difference(kind) && true_difference(kind) <= high[kind];
        count_percentile(covered, effects, &resampling);
    }
    saei_effects_free(effects);
}

/* Latents on 15 prompts and more are held to 93 … 97 %, rarer ones to at least 93 %; 2.6 Monte Carlo errors
 * are allowed. */
static bool judge(double covered, double firing, size_t samples)
{
    double slack = 3.2 * sqrt(0.05 * 0.95 / (double)samples);
    return covered >= 0.93 - slack && (covered <= 0.97 + slack || firing < 15);
}

bool intervals_cover(sae_context *context, size_t samples)
{
    static const size_t prompts[2] = {60, 264};
    bool all_good = true;
    printf("coverage of 95 %% intervals, %zu simulated data sets, tokens of a prompt correlated %.1f\n"
           "prompts            share  sigma  studentised  percentile\n",
           samples, correlation);
    for (int i = 0; i < 4; i++) {
        coverage covered[KINDS] = {{0}};
        bool paired = i % 2 == 0;
        size_t n = prompts[i / 2];
        cover(covered, context, n, paired, samples);
        for (size_t kind = 0; kind < KINDS; kind++) {
            double studentised = (double)covered[kind].studentised / (double)samples;
            bool good = judge(studentised, 1.5 * share[kind] * (double)n, samples);
            printf("%4zu %-9s %8.2f %6.1f %10.1f %% %9.1f %%  %s\n", n, paired ? "paired" : "unpaired",
                   share[kind], sigma[kind], 100 * studentised,
                   100 * (double)covered[kind].percentile / (double)samples, good ? "" : "BROKEN");
            all_good = all_good && good;
        }
    }
    return all_good;
}
