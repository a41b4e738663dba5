#include "diff/trajectory.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { STEPS = 5, PROMPTS = 60, DRAWS = 20000 };

static const double at[STEPS] = {0, 10, 20, 40, 80};
static const bool paired[STEPS] = {true, true, true, true, true};

static sae_context *context;
static saei_profile *control, *profiles[STEPS];

static void setup(void)
{
    context = toy_context(2);
    control = fixture_profile(context, SERIES_FIXTURES, "steps_control", 1);
    for (int k = 0; k < STEPS; k++) {
        char name[16];
        snprintf(name, sizeof name, "steps_%d", k);
        profiles[k] = fixture_profile(context, SERIES_FIXTURES, name, 1);
    }
}

static void teardown(void)
{
    for (int k = 0; k < STEPS; k++)
        saei_profile_free(profiles[k]);
    saei_profile_free(control);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static saei_steps plan(size_t n)
{
    return (saei_steps){.series = {.control = control,
                                   .profiles = (const saei_profile *const *)profiles,
                                   .at = at,
                                   .paired = paired,
                                   .n = n,
                                   .alpha = 0.05,
                                   .permutations = DRAWS},
                        .sustain = 1,
                        .margin_share = 0.1,
                        .bootstrap = DRAWS,
                        .confidence = 0.95};
}

START_TEST(decay_is_that_of_numpy)
{
    saei_steps steps = plan(STEPS);
    sae_trajectory t;
    sae_series_point points[STEPS];
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    size_t n;
    double *rise = fixture(SERIES_FIXTURES, "steps_rise", &n);
    double *half = fixture(SERIES_FIXTURES, "steps_half_life", &n);
    double *tost = fixture(SERIES_FIXTURES, "steps_tost", &n);
    for (int k = 0; k < STEPS; k++) {
        assert_close(points[k].rise, rise[k], 1e-9, "rise");
        ck_assert(isnan(points[k].fit));
    }
    ck_assert_double_eq(t.onset, 0);
    ck_assert_double_eq(t.peak_at, 0);
    assert_close(t.peak, rise[0], 1e-9, "peak");
    assert_close(t.half_life, half[0], 1e-9, "half-life");
    assert_close(t.half_life_fit, half[1], 1e-6, "fitted half-life");
    assert_close(t.remaining, rise[4] / rise[0], 1e-9, "remaining");
    assert_close(t.margin, 0.1 * rise[0], 1e-9, "margin");
    ck_assert(fabs(t.p_equivalence - tost[0]) <= 1e-9 && t.returned);
    free(tost);
    free(half);
    free(rise);
}
END_TEST

START_TEST(remaining_interval_is_that_of_numpy)
{
    saei_steps steps = plan(3);
    sae_trajectory t;
    sae_series_point points[3];
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    size_t n;
    double *interval = fixture(SERIES_FIXTURES, "steps_remaining_interval", &n);
    double *remaining = fixture(SERIES_FIXTURES, "steps_remaining", &n), width = interval[1] - interval[0];
    assert_close(t.remaining, remaining[0], 1e-9, "remaining");
    ck_assert(fabs(t.remaining_low - interval[0]) <= 0.03 * width);
    ck_assert(fabs(t.remaining_high - interval[1]) <= 0.03 * width);
    ck_assert(t.p_difference < 1e-3 && t.p_equivalence > 0.9 && !t.returned);
    steps.bootstrap = 0;
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert(isnan(t.remaining_low) && isnan(t.remaining_high));
    free(remaining);
    free(interval);
}
END_TEST

/* Step 0 is up, step 10 is not: no onset there unless nothing further is asked for. */
START_TEST(onset_is_sustained)
{
    double up[PROMPTS], flat[PROMPTS];
    for (int p = 0; p < PROMPTS; p++) {
        flat[p] = 1 + 0.1 * sin(p);
        up[p] = 1.5 + 0.1 * cos(p);
    }
    saei_profile *flat_profile = dense_profile(context, flat, NULL, PROMPTS, 1);
    saei_profile *up_profile = dense_profile(context, up, NULL, PROMPTS, 1);
    const saei_profile *order[STEPS] = {up_profile, flat_profile, up_profile, up_profile, up_profile};
    saei_steps steps = plan(STEPS);
    steps.series.control = flat_profile;
    steps.series.profiles = order;
    sae_trajectory t;
    sae_series_point points[STEPS];
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert_double_eq(t.onset, 20);
    assert_close(t.half_life, 5, 1e-12, "half of the way to the next step");
    ck_assert(isnan(t.half_life_fit));
    steps.sustain = 0;
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert_double_eq(t.onset, 0);
    /* A latent that does not move has neither onset nor half-life, and what remains of nothing is no number.
     */
    order[0] = order[2] = order[3] = order[4] = flat_profile;
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert(isnan(t.onset) && isnan(t.half_life) && isnan(t.remaining) && isnan(t.remaining_low));
    saei_profile_free(up_profile);
    saei_profile_free(flat_profile);
}
END_TEST

START_TEST(margin_is_the_spread_of_the_controls)
{
    const saei_profile *controls[2] = {control, profiles[2]};
    saei_steps steps = plan(STEPS);
    steps.series.controls = controls;
    steps.series.n_controls = 2;
    sae_trajectory t;
    sae_series_point points[STEPS];
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    assert_close(t.margin, points[2].rise, 1e-9, "spread");
    steps.margin = 0.07;
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert_double_eq(t.margin, 0.07);
    steps.margin = -1;
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_E_ARGUMENT);
}
END_TEST

/* Without pairs the control is drawn as a sample of its own. */
START_TEST(unpaired_steps)
{
    const bool unpaired[STEPS] = {false};
    saei_steps steps = plan(3);
    steps.series.paired = unpaired;
    sae_trajectory t;
    sae_series_point points[3];
    ck_assert_int_eq(saei_trajectory(&t, points, &steps, NULL), SAE_OK);
    ck_assert_double_eq(t.onset, 0);
    ck_assert(t.remaining_low < t.remaining && t.remaining < t.remaining_high);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    saei_steps steps = plan(STEPS);
    steps.bootstrap = 1000;
    sae_trajectory first, now;
    sae_series_point points[STEPS];
    ck_assert_int_eq(saei_trajectory(&first, points, &steps, NULL), SAE_OK);
    teardown();
    setup();
    sae_context *two = context;
    context = toy_context(3);
    saei_profile *copies[STEPS + 1];
    for (int k = 0; k < STEPS; k++) {
        char name[16];
        snprintf(name, sizeof name, "steps_%d", k);
        copies[k] = fixture_profile(context, SERIES_FIXTURES, name, 1);
    }
    copies[STEPS] = fixture_profile(context, SERIES_FIXTURES, "steps_control", 1);
    steps.series.control = copies[STEPS];
    steps.series.profiles = (const saei_profile *const *)copies;
    ck_assert_int_eq(saei_trajectory(&now, points, &steps, NULL), SAE_OK);
    ck_assert(now.remaining_low == first.remaining_low && now.remaining_high == first.remaining_high);
    ck_assert(now.p_difference == first.p_difference && now.p_equivalence == first.p_equivalence);
    for (int k = 0; k <= STEPS; k++)
        saei_profile_free(copies[k]);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    context = two;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trajectory");
    TCase *tests = tcase_create("trajectory");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, decay_is_that_of_numpy);
    tcase_add_test(tests, remaining_interval_is_that_of_numpy);
    tcase_add_test(tests, onset_is_sustained);
    tcase_add_test(tests, margin_is_the_spread_of_the_controls);
    tcase_add_test(tests, unpaired_steps);
    tcase_add_test(tests, threads_change_no_bit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
