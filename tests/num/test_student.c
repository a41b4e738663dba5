#include "num/student.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"

#include <math.h>

START_TEST(agrees_with_scipy)
{
    size_t n_df, n_t, n_tail, n;
    double *df = fixture(FIXTURES, "df", &n_df), *t = fixture(FIXTURES, "t", &n_t),
           *tail = fixture(FIXTURES, "tail", &n_tail), *tails = fixture(FIXTURES, "tails", &n),
           *quantiles = fixture(FIXTURES, "quantiles", &n);
    for (size_t i = 0; i < n_df; i++) {
        for (size_t j = 0; j < n_t; j++) {
            double wanted = tails[i * n_t + j], got = saei_student_tail(t[j], df[i]);
            ck_assert_msg(fabs(got - wanted) <= 1e-9 * wanted, "P(T > %g), %g df: %.17g, wanted %.17g", t[j],
                          df[i], got, wanted);
        }
        for (size_t j = 0; j < n_tail; j++) {
            double wanted = quantiles[i * n_tail + j], got = saei_student_quantile(tail[j], df[i]);
            ck_assert_msg(fabs(got - wanted) <= 1e-9 * fabs(wanted) + 1e-12,
                          "quantile of %g, %g df: %.17g, wanted %.17g", tail[j], df[i], got, wanted);
        }
    }
    free(df);
    free(t);
    free(tail);
    free(tails);
    free(quantiles);
}
END_TEST

/* df 1 is the Cauchy distribution, and 2 has a closed form too. */
START_TEST(small_degrees_of_freedom_are_closed_forms)
{
    for (double t = -9; t < 10; t += 0.37) {
        ck_assert(fabs(saei_student_tail(t, 1) - (0.5 - atan(t) / acos(-1))) <= 1e-14);
        ck_assert(fabs(saei_student_tail(t, 2) - (1 - t / sqrt(2 + t * t)) / 2) <= 1e-14);
    }
    ck_assert(saei_student_tail(0, 5) == 0.5);
    ck_assert(saei_student_tail(INFINITY, 5) == 0 && saei_student_tail(-1e300, 5) == 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("student");
    TCase *tests = tcase_create("student");
    tcase_add_test(tests, agrees_with_scipy);
    tcase_add_test(tests, small_degrees_of_freedom_are_closed_forms);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
