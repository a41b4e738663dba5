#include "diff/combination.h"
#include "diff/dose_response.h"
#include "diff/resample.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { DOSES = 4, LATENTS = 4, DRAWS = 100000 };

typedef struct plan {
    sae_context *context;
    saei_profile *control, *profiles[DOSES];
    saei_doses doses;
} plan;

static const double at[DOSES] = {5, 25, 50, 100};
static const bool paired[DOSES] = {true, true, true, true};

static void open_plan(plan *p, unsigned threads)
{
    *p = (plan){.context = toy_context(threads)};
    p->control = fixture_profile(p->context, SERIES_FIXTURES, "dose_control", LATENTS);
    for (int k = 0; k < DOSES; k++) {
        char name[16];
        snprintf(name, sizeof name, "dose_%d", k);
        p->profiles[k] = fixture_profile(p->context, SERIES_FIXTURES, name, LATENTS);
    }
    p->doses.series = (saei_series){.control = p->control,
                                    .profiles = (const saei_profile *const *)p->profiles,
                                    .at = at,
                                    .paired = paired,
                                    .n = DOSES,
                                    .alpha = 0.05,
                                    .permutations = DRAWS};
}

static void close_plan(plan *p)
{
    for (int k = 0; k < DOSES; k++)
        saei_profile_free(p->profiles[k]);
    saei_profile_free(p->control);
    ck_assert_uint_eq(sae_context_memory_used(p->context), 0);
    sae_context_free(p->context);
}

START_TEST(points_and_shape_are_those_of_scipy)
{
    plan p;
    open_plan(&p, 2);
    sae_dose_response responses[LATENTS];
    sae_series_point points[LATENTS * DOSES];
    sae_behaviour behaviour;
    ck_assert_int_eq(saei_dose_response(responses, points, &behaviour, &p.doses, NULL), SAE_OK);
    size_t n;
    double *rise = fixture(SERIES_FIXTURES, "dose_rise", &n), *se = fixture(SERIES_FIXTURES, "dose_se", &n);
    double *exact = fixture(SERIES_FIXTURES, "dose_p", &n), *fit = fixture(SERIES_FIXTURES, "dose_fit", &n);
    for (size_t i = 0; i < LATENTS * DOSES; i++) {
        ck_assert_double_eq(points[i].at, at[i % DOSES]);
        assert_close(points[i].rise, rise[i], 1e-9, "rise");
        assert_close(points[i].se, se[i], 1e-9, "se");
        assert_close(points[i].fit, fit[i], 1e-9, "fit");
        assert_monte_carlo(points[i].p, exact[i], DRAWS, "p");
    }
    double *trend = fixture(SERIES_FIXTURES, "dose_trend", &n);
    double *trend_p = fixture(SERIES_FIXTURES, "dose_trend_p", &n),
           *half = fixture(SERIES_FIXTURES, "dose_half", &n);
    for (size_t j = 0; j < LATENTS; j++) {
        ck_assert_uint_eq(responses[j].latent, j);
        assert_close(responses[j].trend, trend[j], 1e-9, "trend");
        assert_monte_carlo(responses[j].trend_p, trend_p[j], DRAWS, "p of the trend");
        if (j < 2)
            assert_close(responses[j].half_dose, half[j], 1e-9, "half dose");
        ck_assert(isnan(responses[j].lead_ratio));
    }
    ck_assert(isnan(behaviour.dose));
    /* Holm: 0.00024 × 4 at the lowest dose of latent 0; 0.031 is the last of latent 1 and stays as it is. */
    ck_assert_double_eq(responses[0].onset, 5);
    ck_assert_double_eq(responses[1].onset, 5);
    ck_assert_double_eq(responses[0].onset_q, 5);
    ck_assert_double_eq(responses[1].onset_q, 25);
    ck_assert(isnan(responses[0].spread) && isnan(responses[0].onset_beyond));
    ck_assert(isnan(responses[2].onset) && isnan(responses[3].onset));
    ck_assert(isnan(responses[2].half_dose) && isnan(responses[3].half_dose));
    free(half);
    free(trend_p);
    free(trend);
    free(fit);
    free(exact);
    free(se);
    free(rise);
    close_plan(&p);
}
END_TEST

/* A list changes nothing but what is left out: q still counts the latents that are not listed. */
START_TEST(list_gives_the_figures_of_all)
{
    plan p;
    open_plan(&p, 1);
    sae_dose_response all[LATENTS], listed[2];
    sae_series_point all_points[LATENTS * DOSES], points[2 * DOSES];
    ck_assert_int_eq(saei_dose_response(all, all_points, NULL, &p.doses, NULL), SAE_OK);
    const uint32_t latents[2] = {1, 0};
    p.doses.series.latents = latents;
    p.doses.series.n_latents = 2;
    ck_assert_int_eq(saei_dose_response(listed, points, NULL, &p.doses, NULL), SAE_OK);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(listed[i].latent, latents[i]);
        ck_assert_double_eq(listed[i].trend_p, all[latents[i]].trend_p);
        for (size_t k = 0; k < DOSES; k++) {
            const sae_series_point *one = &points[i * DOSES + k], *same = &all_points[latents[i] * DOSES + k];
            ck_assert(one->mean == same->mean && one->rise == same->rise && one->p == same->p);
            ck_assert(one->p_holm == same->p_holm && one->fit == same->fit);
            ck_assert(one->q >= same->q);
        }
    }
    const uint32_t missing = LATENTS;
    p.doses.series.latents = &missing;
    p.doses.series.n_latents = 1;
    ck_assert_int_eq(saei_dose_response(listed, points, NULL, &p.doses, NULL), SAE_E_NOT_FOUND);
    close_plan(&p);
}
END_TEST

/* A second control run half a unit above the first: rises of 0.28 and 0.11 at dose 5 are within what runs do.
 */
START_TEST(onset_beyond_the_spread_of_the_controls)
{
    enum { PROMPTS = 12 };
    plan p;
    open_plan(&p, 1);
    sae_dose_response responses[LATENTS];
    sae_series_point points[LATENTS * DOSES];
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &p.doses, NULL), SAE_OK);
    double other[PROMPTS * LATENTS];
    for (size_t i = 0; i < PROMPTS * LATENTS; i++) {
        const sae_series_point *first = &points[i % LATENTS * DOSES];
        other[i] = first->mean - first->rise + 0.5;
    }
    saei_profile *run = dense_profile(p.context, other, NULL, PROMPTS, LATENTS);
    const saei_profile *controls[2] = {p.control, run};
    p.doses.series.controls = controls;
    p.doses.series.n_controls = 2;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &p.doses, NULL), SAE_OK);
    for (int j = 0; j < 2; j++) {
        assert_close(responses[j].spread, 0.5, 1e-12, "spread");
        ck_assert_double_eq(responses[j].onset, 5);
        ck_assert_double_eq(responses[j].onset_beyond, 25);
    }
    ck_assert(isnan(responses[2].onset_beyond));
    saei_profile_free(run);
    close_plan(&p);
}
END_TEST

START_TEST(behaviour_and_lead)
{
    plan p;
    open_plan(&p, 1);
    const double rate[DOSES + 1] = {2.0 / 648, 10.0 / 648, 32.0 / 648, 0.184, (double)NAN};
    const uint64_t trials[DOSES + 1] = {648, 648, 648, 648, 648};
    p.doses.rate = rate;
    p.doses.trials = trials;
    sae_behaviour shown;
    sae_dose_response responses[LATENTS];
    sae_series_point points[LATENTS * DOSES];
    ck_assert_int_eq(saei_dose_response(responses, points, &shown, &p.doses, NULL), SAE_OK);
    ck_assert_double_eq(shown.dose, 5); /* 10 of 648 against 2: p = 0.019 */
    ck_assert(isnan(shown.threshold));
    p.doses.threshold = 0.04;
    ck_assert_int_eq(saei_dose_response(responses, points, &shown, &p.doses, NULL), SAE_OK);
    ck_assert_double_eq(shown.dose, 25);
    assert_close(responses[0].lead_ratio, 5, 1e-15, "ratio");
    assert_close(responses[0].lead_difference, 20, 1e-15, "difference");
    ck_assert(isnan(responses[2].lead_ratio));
    p.doses.threshold = 0;
    p.doses.trials = NULL;
    ck_assert_int_eq(saei_behaviour_onset(&shown, &p.doses, NULL), SAE_OK);
    ck_assert_double_eq(shown.dose, 50);
    assert_close(shown.threshold, 2.0 / 648 + 0.05, 1e-15, "threshold");
    close_plan(&p);
}
END_TEST

START_TEST(unpaired_trend_deals_the_weights_anew)
{
    sae_context *context = toy_context(2);
    size_t n;
    double *values = fixture(SERIES_FIXTURES, "unpaired_conditions", &n);
    double *expected = fixture(SERIES_FIXTURES, "unpaired_trend", &n);
    saei_profile *profiles[3];
    for (int k = 0; k < 3; k++)
        profiles[k] = dense_profile(context, values + 3 * k, NULL, 3, 1);
    const bool unpaired[2] = {false, false};
    saei_doses doses = {.series = {.control = profiles[0],
                                   .profiles = (const saei_profile *const *)profiles + 1,
                                   .at = at,
                                   .paired = unpaired,
                                   .n = 2,
                                   .alpha = 0.05,
                                   .permutations = DRAWS}};
    sae_dose_response response;
    sae_series_point points[2];
    ck_assert_int_eq(saei_dose_response(&response, points, NULL, &doses, NULL), SAE_OK);
    assert_close(response.trend, expected[0], 1e-12, "trend");
    assert_monte_carlo(response.trend_p, expected[1], DRAWS, "p of the trend");
    for (int k = 0; k < 3; k++)
        saei_profile_free(profiles[k]);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    free(expected);
    free(values);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    sae_dose_response first[LATENTS] = {{0}}, now[LATENTS];
    sae_series_point first_points[LATENTS * DOSES] = {{0}}, points[LATENTS * DOSES];
    for (unsigned threads = 1; threads <= 3; threads++) {
        plan p;
        open_plan(&p, threads);
        p.doses.series.permutations = 5000;
        ck_assert_int_eq(saei_dose_response(now, points, NULL, &p.doses, NULL), SAE_OK);
        if (threads == 1) {
            memcpy(first, now, sizeof now);
            memcpy(first_points, points, sizeof points);
        }
        ck_assert_mem_eq(now, first, sizeof now);
        ck_assert_mem_eq(points, first_points, sizeof points);
        close_plan(&p);
    }
}
END_TEST

START_TEST(what_is_refused)
{
    plan p;
    open_plan(&p, 1);
    sae_dose_response responses[LATENTS];
    sae_series_point points[LATENTS * DOSES];
    saei_doses good = p.doses, bad = good;
    const double unordered[DOSES] = {5, 25, 25, 100}, rate[DOSES + 1] = {0, 0, 2, 0, 0};
    bad.series.at = unordered;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &bad, NULL), SAE_E_ARGUMENT);
    bad = good;
    bad.control_dose = 5;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &bad, NULL), SAE_E_ARGUMENT);
    bad = good;
    bad.rate = rate;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &bad, NULL), SAE_E_ARGUMENT);
    bad = good;
    bad.series.alpha = 1;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &bad, NULL), SAE_E_ARGUMENT);
    bad = good;
    bad.series.n = 0;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &bad, NULL), SAE_E_ARGUMENT);
    const double few[2 * LATENTS] = {1, 1, 1, 1, 1, 1, 1, 1};
    saei_profile *two = dense_profile(p.context, few, NULL, 2, LATENTS), *keep = p.profiles[1];
    p.profiles[1] = two;
    ck_assert_int_eq(saei_dose_response(responses, points, NULL, &good, NULL), SAE_E_MISMATCH);
    p.profiles[1] = keep;
    saei_profile_free(two);
    close_plan(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dose_response");
    TCase *tests = tcase_create("dose_response");
    tcase_add_test(tests, points_and_shape_are_those_of_scipy);
    tcase_add_test(tests, list_gives_the_figures_of_all);
    tcase_add_test(tests, onset_beyond_the_spread_of_the_controls);
    tcase_add_test(tests, behaviour_and_lead);
    tcase_add_test(tests, unpaired_trend_deals_the_weights_anew);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_test(tests, what_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
