#include "diff/multiplicity.h"
#include "diff/contrast.h"
#include "num/order.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

/* Dense y and x of one latent as effects. */
static void fill_effects(saei_effects *effects, const double *y, size_t n_y, const double *x, size_t n_x,
                         bool paired)
{
    static uint64_t ptr[2];
    static uint32_t unit[256];
    static double value[256];
    static bool fires[1] = {true};
    *effects = (saei_effects){.paired = paired,
                              .n_y = n_y,
                              .n_x = n_x,
                              .n_latents = 1,
                              .ptr = ptr,
                              .unit = unit,
                              .value = value,
                              .fires = fires};
    uint64_t n = 0;
    for (size_t i = 0; i < n_y + (paired ? 0 : n_x); i++) {
        double v = paired ? y[i] - x[i] : i < n_y ? y[i] : x[i - n_y];
        if (v != 0) {
            unit[n] = (uint32_t)i;
            value[n++] = v;
        }
    }
    ptr[1] = n;
}

static void check_moments(const char *kind, bool paired)
{
    char name[64];
    size_t n_y, n_x, n;
    snprintf(name, sizeof name, "%s_y", kind);
    double *y = fixture(FIXTURES, name, &n_y);
    snprintf(name, sizeof name, "%s_x", kind);
    double *x = fixture(FIXTURES, name, &n_x);
    snprintf(name, sizeof name, "%s_expected", kind);
    double *expected = fixture(FIXTURES, name, &n);
    saei_effects effects;
    fill_effects(&effects, y, n_y, x, n_x, paired);
    sae_contrast c = {0};
    saei_contrast_moments(&c, &effects, 0);
    assert_close(c.estimate, expected[0], 1e-12, "estimate");
    assert_close(c.se, expected[1], 1e-12, "se");
    assert_close(c.effect, expected[2], 1e-12, "effect");
    free(expected);
    free(x);
    free(y);
}

START_TEST(paired_moments_are_those_of_scipy)
{
    check_moments("paired", true);
}
END_TEST

START_TEST(unpaired_moments_are_those_of_scipy)
{
    check_moments("unpaired", false);
}
END_TEST

START_TEST(one_prompt_has_no_variance)
{
    double y = 2, x = 1;
    saei_effects effects;
    fill_effects(&effects, &y, 1, &x, 1, true);
    sae_contrast c = {0};
    saei_contrast_moments(&c, &effects, 0);
    ck_assert_double_eq(c.estimate, 1);
    ck_assert(isnan(c.se));
    fill_effects(&effects, &y, 1, &x, 1, false);
    saei_contrast_moments(&c, &effects, 0);
    ck_assert_double_eq(c.estimate, 1);
    ck_assert(isnan(c.se));
}
END_TEST

START_TEST(constant_differences_have_effect_zero)
{
    double y[3] = {2, 2, 2}, x[3] = {1, 1, 1};
    saei_effects effects;
    fill_effects(&effects, y, 3, x, 3, true);
    sae_contrast c = {0};
    saei_contrast_moments(&c, &effects, 0);
    ck_assert_double_eq(c.estimate, 1);
    ck_assert_double_eq(c.se, 0);
    ck_assert_double_eq(c.effect, 0);
}
END_TEST

/* A latent with hardly any variance has a huge plain t; the floor puts it behind a real effect. */
START_TEST(variance_floor_tames_constant_latents)
{
    sae_context *context = toy_context(1);
    bool fires[4] = {true, true, true, false};
    saei_effects effects = {.context = context, .n_latents = 4, .fires = fires};
    sae_contrast c[4] = {
        {.estimate = 1e-3, .se = 1e-6}, {.estimate = 1, .se = 0.1}, {.estimate = 0, .se = 0.2}};
    ck_assert_int_eq(saei_moderate(c, &effects, NULL), SAE_OK);
    assert_close(c[0].t, 1e-3 / (1e-6 + 0.1), 1e-14, "constant");
    assert_close(c[1].t, 5, 1e-14, "real");
    ck_assert_double_eq(c[2].t, 0);
    ck_assert_double_eq(c[3].t, 0);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(false_discovery_rates_are_those_of_scipy)
{
    size_t n, n_q;
    double *p = fixture(FIXTURES, "bh_p", &n), *expected = fixture(FIXTURES, "bh_q", &n_q), q[128];
    sae_context *context = toy_context(1);
    ck_assert_int_eq(saei_benjamini_hochberg(q, p, n, context, NULL), SAE_OK);
    for (size_t i = 0; i < n; i++)
        assert_close(q[i], expected[i], 1e-13, "q");
    sae_context_free(context);
    free(expected);
    free(p);
}
END_TEST

START_TEST(quantiles_are_those_of_numpy)
{
    size_t n, n_q, n_expected;
    double *x = fixture(FIXTURES, "quantile_x", &n), *q = fixture(FIXTURES, "quantile_q", &n_q);
    double *expected = fixture(FIXTURES, "quantile_expected", &n_expected);
    for (size_t i = 0; i < n_q; i++)
        assert_close(saei_quantile(x, n, q[i]), expected[i], 1e-14, "quantile");
    double equal[5] = {3, 3, 3, 3, 3}, one = 7;
    ck_assert_double_eq(saei_quantile(equal, 5, 0.3), 3);
    ck_assert_double_eq(saei_quantile(&one, 1, 0.9), 7);
    free(expected);
    free(q);
    free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("contrast");
    TCase *tests = tcase_create("contrast");
    tcase_add_test(tests, paired_moments_are_those_of_scipy);
    tcase_add_test(tests, unpaired_moments_are_those_of_scipy);
    tcase_add_test(tests, one_prompt_has_no_variance);
    tcase_add_test(tests, constant_differences_have_effect_zero);
    tcase_add_test(tests, variance_floor_tames_constant_latents);
    tcase_add_test(tests, false_discovery_rates_are_those_of_scipy);
    tcase_add_test(tests, quantiles_are_those_of_numpy);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
