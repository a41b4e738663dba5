/* Series whose truth is known, hundreds at a time: how often the tests err and the intervals miss. Bounds are
   three binomial standard errors; the seeds are fixed. */
#include "base/rng.h"
#include "diff/dose_response.h"
#include "diff/trajectory.h"
#include "num/order.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { PROMPTS = 40, LATENTS = 400, DOSES = 3 };

static sae_context *context;
static saei_profile *control, *profiles[DOSES];
static const double at[DOSES] = {1, 2, 3};
static double table[DOSES + 1][PROMPTS * LATENTS];

/* Activations that share an effect of the prompt; a third is silent. rise [DOSES + 1] is added where a latent
 * fires. */
static void simulate(const double *rise, bool shared)
{
    context = toy_context(2);
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_ROWS, shared ? 0 : 1);
    for (size_t i = 0; i < PROMPTS * LATENTS; i++) {
        double prompt = 1.5 * saei_rng_normal(&rng);
        for (size_t k = 0; k <= DOSES; k++) {
            double own = shared ? prompt : 1.5 * saei_rng_normal(&rng);
            table[k][i] =
                exp(0.5 * own + 0.3 * saei_rng_normal(&rng)) + rise[k] * (1 + 0.3 * saei_rng_normal(&rng));
            if (saei_rng_uniform(&rng) < 1.0 / 3 && rise[DOSES] == 0)
                table[k][i] = 0;
        }
    }
    control = dense_profile(context, table[0], NULL, PROMPTS, LATENTS);
    for (size_t k = 0; k < DOSES; k++)
        profiles[k] = dense_profile(context, table[k + 1], NULL, PROMPTS, LATENTS);
}

static void forget(void)
{
    for (size_t k = 0; k < DOSES; k++)
        saei_profile_free(profiles[k]);
    saei_profile_free(control);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static saei_series series(const bool *paired)
{
    return (saei_series){.control = control,
                         .profiles = (const saei_profile *const *)profiles,
                         .at = at,
                         .paired = paired,
                         .n = DOSES,
                         .alpha = 0.05,
                         .permutations = 4000};
}

static double three_errors(double share, double n)
{
    return 3 * sqrt(share * (1 - share) / n);
}

/* Largest distance of the sorted p-values from the diagonal. */
static double kolmogorov_smirnov(double *p, size_t n)
{
    double most = 0;
    saei_sort_doubles(p, n);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fmax(fabs(p[i] - (double)i / (double)n), fabs(p[i] - (double)(i + 1) / (double)n)));
    return most;
}

static void check_null(bool is_paired)
{
    const double none[DOSES + 1] = {0};
    const bool paired[DOSES] = {is_paired, is_paired, is_paired};
    simulate(none, is_paired);
    saei_doses doses = {.series = series(paired)};
    static sae_dose_response responses[LATENTS];
    static sae_series_point points[LATENTS * DOSES];
    double trend[LATENTS], first[LATENTS], wrong = 0, discovered = 0;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &doses, NULL), SAE_OK);
    for (size_t j = 0; j < LATENTS; j++) {
        trend[j] = responses[j].trend_p;
        first[j] = points[j * DOSES].p;
        wrong += isnan(responses[j].onset) ? 0 : 1;
        discovered += isnan(responses[j].onset_q) ? 0 : 1;
    }
    double bound = 1.63 / sqrt(LATENTS); /* p = 0.01 */
    double of_trend = kolmogorov_smirnov(trend, LATENTS), of_first = kolmogorov_smirnov(first, LATENTS);
    ck_assert_msg(of_trend < bound && of_first < bound, "KS %g and %g, bound %g", of_trend, of_first, bound);
    ck_assert_msg(wrong / LATENTS <= 0.05 + three_errors(0.05, LATENTS), "an onset in %g latents", wrong);
    ck_assert_msg(discovered <= 1, "%g discoveries among nulls", discovered);
    forget();
}

START_TEST(nulls_keep_their_level_when_paired)
{
    check_null(true);
}
END_TEST

START_TEST(nulls_keep_their_level_when_not)
{
    check_null(false);
}
END_TEST

/* The rise falls to a quarter, and at last to the margin itself, where equivalence must not be claimed too
 * often. */
START_TEST(intervals_cover_and_equivalence_keeps_its_level)
{
    const double rise[DOSES + 1] = {0, 2, 1, 0.5};
    const bool paired[DOSES] = {true, true, true};
    simulate(rise, true);
    saei_steps steps = {.series = series(paired), .margin = 0.5, .bootstrap = 1000, .confidence = 0.95};
    static sae_trajectory trajectories[LATENTS];
    static sae_series_point points[LATENTS * DOSES];
    ck_assert_int_eq(saei_trajectory(trajectories, points, &steps, NULL), SAE_OK);
    double covered = 0, returned = 0, n = 0;
    for (size_t j = 0; j < LATENTS; j++) {
        const sae_trajectory *t = &trajectories[j];
        n += isnan(t->remaining) ? 0 : 1;
        covered += t->remaining_low <= 0.25 && 0.25 <= t->remaining_high ? 1 : 0;
        returned += t->returned ? 1 : 0;
    }
    ck_assert_msg(n == LATENTS, "%g of the latents rise", n);
    ck_assert_msg(fabs(covered / n - 0.95) <= three_errors(0.95, n), "covered %g", covered / n);
    ck_assert_msg(returned / n <= 0.05 + three_errors(0.05, n), "returned %g", returned / n);
    forget();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("series_null");
    TCase *tests = tcase_create("series_null");
    tcase_add_test(tests, nulls_keep_their_level_when_paired);
    tcase_add_test(tests, nulls_keep_their_level_when_not);
    tcase_add_test(tests, intervals_cover_and_equivalence_keeps_its_level);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
