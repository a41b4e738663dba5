/* Rows far longer than the others, against lengths that are sorted. */
#include "base/memory.h"
#include "base/rng.h"
#include "dump/dump.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 5000, D = 3, TEXT = 50 };

static float x[ROWS * D];
static double position[ROWS];

/* Lengths around 4, with a mean of length 3; first tokens a hundred times as long; some rows of padding. */
static void make_rows(void)
{
    saei_rng rng = saei_rng_new(9, SAEI_STREAM_ROWS, 0);
    for (size_t r = 0; r < ROWS; r++) {
        position[r] = (double)(r % TEXT);
        double scale = r % TEXT == 0 ? 100 + (double)(r % 7) : r % TEXT == 40 ? 0 : 1;
        for (size_t i = 0; i < D; i++)
            x[r * D + i] = (float)(scale * (saei_rng_normal(&rng) + (i == 0 ? 3 : 0)));
    }
}

static double norm_of(size_t row)
{
    double sum = 0;
    for (size_t i = 0; i < D; i++)
        sum += (double)x[row * D + i] * (double)x[row * D + i];
    return sqrt(sum);
}

static int ascending(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

START_TEST(first_tokens_are_found)
{
    make_rows();
    sae_context *context = toy_context((unsigned)_i);
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    ck_assert_int_eq(sae_dump_add_column(dump, "position", position, NULL), SAE_OK);
    sae_outliers got;
    ck_assert_int_eq(sae_dump_outliers(&got, dump, NULL, NULL, NULL), SAE_OK);
    static double norms[ROWS];
    size_t n = 0, largest = 0, outliers = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double norm = norm_of(r);
        largest = norm > norm_of(largest) ? r : largest;
        outliers += norm >= got.limit;
        if (norm > 0)
            norms[n++] = norm;
    }
    qsort(norms, n, sizeof *norms, ascending);
    ck_assert(fabs(got.median / norms[n / 2] - 1) <= 0.02);
    ck_assert(got.limit > 10 * got.median && got.limit <= 10.4 * got.median);
    ck_assert_uint_eq(got.rows, outliers);
    ck_assert_uint_eq(got.rows, ROWS / TEXT);
    ck_assert_uint_eq(got.largest_row, largest);
    ck_assert(fabs(got.largest / norm_of(largest) - 1) <= 1e-12);
    ck_assert(got.position == 0);
    sae_dump_free(dump);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(mean_and_spread_are_compared)
{
    /* mean (3, 4), σ² = 4 + 16 */
    const float rows[] = {5, 8, 1, 0, 5, 0, 1, 8};
    sae_context *context = toy_context(1);
    sae_dump *dump = toy_dump(context, rows, 4, 2, NULL);
    sae_outliers got;
    ck_assert_int_eq(sae_dump_outliers(&got, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert(fabs(got.mean_over_sigma - 5 / sqrt(20)) <= 1e-12);
    ck_assert_uint_eq(got.rows, 0);
    ck_assert(isnan(got.position));
    sae_dump_free(dump);
    sae_context_free(context);
}
END_TEST

START_TEST(rows_without_length_and_at_the_ends_of_float)
{
    const float zeros[4] = {0}, huge[] = {3e38f, 3e38f, 3e38f, 3e38f, 1e-44f, 0};
    sae_context *context = toy_context(1);
    sae_dump *dump = toy_dump(context, zeros, 2, 2, NULL);
    sae_outliers got;
    ck_assert_int_eq(sae_dump_outliers(&got, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert(got.median == 0 && got.rows == 0 && got.largest == 0);
    sae_dump_free(dump);
    dump = toy_dump(context, huge, 3, 2, NULL);
    ck_assert_int_eq(sae_dump_outliers(&got, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(got.rows, 0);
    ck_assert_uint_eq(got.largest_row, 0);
    sae_dump_free(dump);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outliers");
    TCase *tests = tcase_create("outliers");
    tcase_add_loop_test(tests, first_tokens_are_found, 1, 4);
    tcase_add_test(tests, mean_and_spread_are_compared);
    tcase_add_test(tests, rows_without_length_and_at_the_ends_of_float);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
