#include "diff/equivalence.h"
#include "diff/fisher_exact.h"
#include "diff/isotonic.h"
#include "diff/multiplicity.h"
#include "num/student.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

START_TEST(student_tail_is_that_of_scipy)
{
    size_t n_t, n_df, n;
    double *t = fixture(SERIES_FIXTURES, "student_t", &n_t),
           *df = fixture(SERIES_FIXTURES, "student_df", &n_df);
    double *expected = fixture(SERIES_FIXTURES, "student_upper", &n);
    for (size_t i = 0; i < n_t; i++)
        for (size_t k = 0; k < n_df; k++) {
            double p = saei_student_tail(t[i], df[k]), wanted = expected[i * n_df + k];
            ck_assert_msg(fabs(p - wanted) <= 1e-10 * wanted, "t %g df %g: %.17g, SciPy %.17g", t[i], df[k],
                          p, wanted);
        }
    ck_assert(isnan(saei_student_tail((double)NAN, 3)));
    ck_assert_double_eq(saei_student_tail((double)INFINITY, 3), 0);
    free(expected);
    free(df);
    free(t);
}
END_TEST

START_TEST(corrections_are_those_of_statsmodels)
{
    size_t n;
    double *p = fixture(SERIES_FIXTURES, "holm_p", &n), *holm = fixture(SERIES_FIXTURES, "holm", &n);
    double *among = fixture(SERIES_FIXTURES, "among_q", &n), got[8];
    sae_context *context = toy_context(1);
    ck_assert_int_eq(saei_holm(got, p, n, context, NULL), SAE_OK);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i], holm[i], 1e-13, "holm");
    ck_assert_int_eq(saei_false_discovery_among(got, p, n, n + 30, context, NULL), SAE_OK);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i], among[i], 1e-13, "q among");
    /* A p that is missing neither counts nor is counted. */
    const double some[3] = {0.01, (double)NAN, 0.02};
    ck_assert_int_eq(saei_holm(got, some, 3, context, NULL), SAE_OK);
    assert_close(got[0], 0.02, 1e-14, "first of two");
    assert_close(got[2], 0.02, 1e-14, "second of two");
    ck_assert(isnan(got[1]));
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    free(among);
    free(holm);
    free(p);
}
END_TEST

START_TEST(fisher_is_that_of_scipy)
{
    size_t n, n_p;
    double *table = fixture(SERIES_FIXTURES, "fisher_table", &n),
           *p = fixture(SERIES_FIXTURES, "fisher_p", &n_p);
    for (size_t i = 0; i < n_p; i++) {
        const double *t = table + 4 * i;
        double got = saei_fisher_upper((uint64_t)t[0], (uint64_t)t[1], (uint64_t)(t[0] + t[2]),
                                       (uint64_t)(t[1] + t[3]));
        assert_close(got, p[i], 1e-9, "p");
    }
    free(p);
    free(table);
}
END_TEST

START_TEST(isotonic_fit_is_that_of_scikit_learn)
{
    size_t n;
    double *y = fixture(SERIES_FIXTURES, "isotonic_y", &n), *w = fixture(SERIES_FIXTURES, "isotonic_w", &n);
    double *expected = fixture(SERIES_FIXTURES, "isotonic_fit", &n), fit[16];
    saei_isotonic_fit(fit, y, w, n, 0);
    for (size_t i = 0; i < n; i++)
        assert_close(fit[i], expected[i], 1e-12, "fit");
    free(expected);
    free(w);
    free(y);
}
END_TEST

START_TEST(crossings)
{
    const double x[3] = {2, 4, 8}, up[3] = {1, 1, 3}, down[3] = {1, 0.5, 0.5};
    assert_close(saei_first_crossing(0, 0, x, up, 3, 0.25), 0.5, 1e-15, "first segment");
    assert_close(saei_first_crossing(0, 0, x, up, 3, 2), 6, 1e-15, "last segment");
    assert_close(saei_first_crossing(0, 2, x, down, 3, 0.75), 3, 1e-15, "falling");
    ck_assert(isnan(saei_first_crossing(0, 0, x, up, 3, 4)));
}
END_TEST

static void fill_effects(saei_effects *effects, const double *y, size_t n_y, const double *x, size_t n_x,
                         bool paired)
{
    static uint64_t ptr[2];
    static uint32_t unit[64];
    static double value[64];
    *effects = (saei_effects){
        .paired = paired, .n_y = n_y, .n_x = n_x, .n_latents = 1, .ptr = ptr, .unit = unit, .value = value};
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

START_TEST(equivalence_is_that_of_statsmodels)
{
    size_t n, n_z, n_m;
    double *y = fixture(SERIES_FIXTURES, "tost_y", &n), *x = fixture(SERIES_FIXTURES, "tost_x", &n);
    double *z = fixture(SERIES_FIXTURES, "tost_z", &n_z),
           *margin = fixture(SERIES_FIXTURES, "tost_margin", &n_m);
    double *paired = fixture(SERIES_FIXTURES, "tost_paired", &n_m);
    double *unpaired = fixture(SERIES_FIXTURES, "tost_unpaired", &n_m);
    saei_effects effects;
    for (size_t i = 0; i < n_m; i++) {
        fill_effects(&effects, y, n, x, n, true);
        assert_close(saei_equivalence_p(&effects, 0, margin[i]), paired[i], 1e-10, "paired");
        fill_effects(&effects, y, n, z, n_z, false);
        assert_close(saei_equivalence_p(&effects, 0, margin[i]), unpaired[i], 1e-10, "unpaired");
    }
    const double constant[3] = {2, 2, 2}, zero[3] = {0};
    fill_effects(&effects, constant, 3, zero, 3, true);
    ck_assert_double_eq(saei_equivalence_p(&effects, 0, 2.5), 0);
    ck_assert_double_eq(saei_equivalence_p(&effects, 0, 1.5), 1);
    fill_effects(&effects, constant, 1, zero, 1, true);
    ck_assert(isnan(saei_equivalence_p(&effects, 0, 2.5)));
    free(unpaired);
    free(paired);
    free(margin);
    free(z);
    free(x);
    free(y);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("series_parts");
    TCase *tests = tcase_create("series_parts");
    tcase_add_test(tests, student_tail_is_that_of_scipy);
    tcase_add_test(tests, corrections_are_those_of_statsmodels);
    tcase_add_test(tests, fisher_is_that_of_scipy);
    tcase_add_test(tests, isotonic_fit_is_that_of_scikit_learn);
    tcase_add_test(tests, crossings);
    tcase_add_test(tests, equivalence_is_that_of_statsmodels);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
