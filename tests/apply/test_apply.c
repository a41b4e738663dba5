#include "apply/auroc.h"
#include "base/rng.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

enum { D = 7, ROWS = 5000 };

static void random_rows(float *x, double common)
{
    saei_rng rng = saei_rng_new(4, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        x[i] = (float)(common + saei_rng_normal(&rng));
}

/* Plain sums over all rows, two passes, for the identity model: x̂ = relu(x), the k largest. */
static sae_fidelity naive(const float *x, size_t k)
{
    double mean[D] = {0}, error = 0, variance = 0, active = 0, cosine = 0;
    for (size_t i = 0; i < ROWS * D; i++)
        mean[i % D] += (double)x[i] / ROWS;
    for (size_t r = 0; r < ROWS; r++) {
        double xx = 0, hh = 0;
        for (size_t j = 0; j < D; j++) {
            double v = (double)x[r * D + j];
            size_t larger = 0;
            for (size_t l = 0; l < D; l++)
                larger += x[r * D + l] > x[r * D + j] || (x[r * D + l] == x[r * D + j] && l < j);
            double kept = v > 0 && larger < k ? v : 0;
            active += kept > 0;
            error += (v - kept) * (v - kept);
            variance += (v - mean[j]) * (v - mean[j]);
            xx += v * v;
            hh += kept * kept;
        }
        cosine += hh > 0 ? sqrt(hh / xx) : 0;
    }
    return (sae_fidelity){
        .rows = ROWS, .fvu = error / variance, .l0 = active / ROWS, .cosine = cosine / ROWS};
}

static void check_fidelity(unsigned threads, double common, double tolerance)
{
    static float x[ROWS * D];
    random_rows(x, common);
    sae_context *context = toy_context(threads);
    sae_model *model = toy_identity(context, D, 3);
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    sae_fidelity got, wanted = naive(x, 3);
    ck_assert_int_eq(sae_model_evaluate(&got, model, dump, NULL), SAE_OK);
    ck_assert_uint_eq(got.rows, ROWS);
    assert_close(got.fvu, wanted.fvu, tolerance, "fvu");
    assert_close(got.explained_variance, 1 - wanted.fvu, tolerance, "explained variance");
    assert_close(got.l0, wanted.l0, 1e-12, "l0");
    assert_close(got.cosine, wanted.cosine, 1e-9, "cosine");
    ck_assert_double_eq(got.dead, 0);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

START_TEST(fidelity_is_that_of_plain_sums)
{
    check_fidelity(2, 0, 1e-9);
}
END_TEST

/* Σx² − n·mean² would keep no digit of the variance here. */
START_TEST(a_large_common_mean_does_not_cancel)
{
    check_fidelity(2, 1e5, 1e-9);
}
END_TEST

START_TEST(fidelity_does_not_depend_on_threads)
{
    static float x[ROWS * D];
    random_rows(x, 0.3);
    sae_fidelity f[3];
    memset(f, 0, sizeof f);
    for (unsigned threads = 1; threads <= 3; threads++) {
        sae_context *context = toy_context(threads);
        sae_model *model = toy_identity(context, D, 3);
        sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
        ck_assert_int_eq(sae_model_evaluate(&f[threads - 1], model, dump, NULL), SAE_OK);
        sae_dump_free(dump);
        sae_model_free(model);
        sae_context_free(context);
    }
    ck_assert_mem_eq(&f[1], &f[0], sizeof f[0]);
    ck_assert_mem_eq(&f[2], &f[0], sizeof f[0]);
}
END_TEST

START_TEST(dead_latents_and_constant_rows)
{
    const float x[6] = {1, -1, 0, 1, -1, 0};
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 3, 3);
    sae_dump *dump = toy_dump(context, x, 2, 3, NULL);
    sae_fidelity f;
    ck_assert_int_eq(sae_model_evaluate(&f, model, dump, NULL), SAE_OK);
    assert_close(f.dead, 2.0 / 3, 1e-15, "dead");
    ck_assert(isnan(f.fvu) && isnan(f.explained_variance));
    sae_dump_free(dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

START_TEST(top_rows_in_order_with_ties_to_the_earlier)
{
    static float x[ROWS * D];
    for (size_t i = 0; i < ROWS; i++)
        x[i * D + 2] = (float)(i * 7919 % 1000) - 500;
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D);
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    sae_top_row top[12];
    size_t count;
    ck_assert_int_eq(sae_model_top_rows(top, &count, 12, model, dump, 2, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(count, 12);
    for (size_t i = 0; i < 12; i++) {
        ck_assert_float_eq(top[i].value, (float)(499 - i / 5));
        ck_assert_float_eq(top[i].value, x[top[i].row * D + 2]);
        if (i % 5 != 0)
            ck_assert_uint_gt(top[i].row, top[i - 1].row);
    }
    /* Rows 5 apart by a thousand hold the same value: the first of them is the earliest there is. */
    ck_assert_uint_lt(top[0].row, 1000);
    ck_assert_int_eq(sae_model_top_rows(top, &count, 12, model, dump, 3, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(sae_model_top_rows(top, &count, 0, model, dump, 2, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(sae_model_top_rows(top, &count, 12, model, dump, D, NULL, NULL, NULL), SAE_E_NOT_FOUND);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(auroc_is_that_of_scipy)
{
    size_t m, n, n_expected;
    double *positive = fixture(FIXTURES, "auroc_positive", &m),
           *negative = fixture(FIXTURES, "auroc_negative", &n);
    double *expected = fixture(FIXTURES, "auroc_expected", &n_expected);
    sae_auroc_result result = saei_auroc(positive, m, negative, n);
    assert_close(result.auroc, expected[0], 1e-13, "auroc");
    assert_close(result.se, expected[1], 1e-12, "se");
    sae_auroc_result mirrored = saei_auroc(negative, n, positive, m);
    assert_close(mirrored.auroc, 1 - expected[0], 1e-13, "mirrored");
    assert_close(mirrored.se, expected[1], 1e-12, "se");
    free(expected);
    free(negative);
    free(positive);
}
END_TEST

/* Groups of 2 rows, scattered; label: group 0 and 1 against 2 and 3. */
START_TEST(auroc_of_group_means)
{
    const float x[16] = {4, 0, 1, 0, 2, 0, 1, 0, 0, 0, 3, 0, 2, 0, 0, 0};
    const double group[8] = {0, 1, 2, 3, 0, 1, 2, 3}, label[8] = {1, 1, 0, 0, 1, 1, 0, 0};
    const double mixed[8] = {1, 1, 0, 0, 0, 1, 0, 0};
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 2, 2);
    sae_dump *dump = toy_dump(context, x, 8, 2, group);
    ck_assert_int_eq(sae_dump_add_column(dump, "bad", label, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "mixed", mixed, NULL), SAE_OK);
    sae_auroc_result r;
    sae_error err;
    /* means 2, 2 against 2, 1/2: three of four pairs, one of them a tie: (2 + 2 / 2) / 4 */
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "bad=1", "prompt_id", NULL, NULL, &err), SAE_OK);
    ck_assert_double_eq(r.auroc, 0.75);
    ck_assert_double_eq(r.mean_positive, 2);
    ck_assert_double_eq(r.mean_negative, 1.25);
    ck_assert_uint_eq(r.n_positive, 2);
    /* rows: 4 1 0 3 against 2 1 2 0: ten of sixteen pairs, ties half */
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "bad=1", NULL, NULL, NULL, &err), SAE_OK);
    ck_assert_uint_eq(r.n_negative, 4);
    ck_assert_double_eq(r.auroc, 10.0 / 16);
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "mixed=1", "prompt_id", NULL, NULL, &err), SAE_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(err.text, "group 0"));
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "bad=7", "prompt_id", NULL, NULL, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "bad<7", "prompt_id", NULL, NULL, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_auroc(&r, model, dump, 0, "bad=1", "doc", NULL, NULL, &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "mixed"));
    ck_assert_int_eq(sae_auroc(&r, model, dump, 2, "bad=1", "prompt_id", NULL, NULL, &err), SAE_E_NOT_FOUND);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(other_widths_are_refused)
{
    const float x[4] = {1, 2, 3, 4};
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 4, 1);
    sae_dump *narrow = toy_dump(context, x, 2, 2, NULL);
    sae_fidelity f;
    sae_error err;
    ck_assert_int_eq(sae_model_evaluate(&f, model, narrow, &err), SAE_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(err.text, "2 numbers"));
    sae_dump_free(narrow);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("apply");
    TCase *tests = tcase_create("apply");
    tcase_add_test(tests, fidelity_is_that_of_plain_sums);
    tcase_add_test(tests, a_large_common_mean_does_not_cancel);
    tcase_add_test(tests, fidelity_does_not_depend_on_threads);
    tcase_add_test(tests, dead_latents_and_constant_rows);
    tcase_add_test(tests, top_rows_in_order_with_ties_to_the_earlier);
    tcase_add_test(tests, auroc_is_that_of_scipy);
    tcase_add_test(tests, auroc_of_group_means);
    tcase_add_test(tests, other_widths_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
