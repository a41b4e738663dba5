/* Many latents under many labels, against NumPy and SciPy. */
#include "sae/apply.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

enum { ROWS = 500, D = 6, LABELS = 3, FIGURES = 6 };

static const sae_label labels[LABELS] = {
    {.name = "toxic answers", .condition = "persona=1", .where = "region=3", .group = "doc_id"},
    {.name = "a bad example is requested",
     .condition = "edu=1",
     .where = "region=3",
     .group = "doc_id",
     .split = true},
    {.name = "rows of toxic documents", .condition = "persona=1"}};

static sae_context *context;
static sae_model *model;
static sae_dump *dump;
static float rows[ROWS * D];

static void add(const char *name, const char *column)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n);
    ck_assert_int_eq(sae_dump_add_column(dump, column, values, NULL), SAE_OK);
    free(values);
}

static void setup_threads(unsigned threads)
{
    size_t n;
    double *values = fixture(FIXTURES, "x", &n);
    for (size_t i = 0; i < n; i++)
        rows[i] = (float)values[i];
    free(values);
    context = toy_context(threads);
    model = toy_identity(context, D, D);
    dump = toy_dump(context, rows, ROWS, D, NULL);
    add("doc", "doc_id");
    add("persona", "persona");
    add("region", "region");
    add("edu", "edu");
}

static void setup(void)
{
    setup_threads(2);
}

static void teardown(void)
{
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static void check(const sae_auroc_result *got, const double *wanted)
{
    assert_close(got->auroc, wanted[0], 1e-12, "auroc");
    assert_close(got->se, wanted[1], 1e-9, "se");
    ck_assert_double_eq((double)got->n_positive, wanted[2]);
    ck_assert_double_eq((double)got->n_negative, wanted[3]);
    assert_close(got->mean_positive, wanted[4], 1e-12, "mean of the positive");
    assert_close(got->mean_negative, wanted[5], 1e-12, "mean of the others");
}

START_TEST(table_is_that_of_scipy)
{
    sae_auroc_result out[LABELS * D];
    sae_error err = {0};
    sae_status status = sae_model_describe(out, model, dump, labels, LABELS, NULL, D, NULL, NULL, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    size_t n;
    double *table = fixture(FIXTURES, "table", &n);
    ck_assert_uint_eq(n, LABELS * D * FIGURES);
    for (size_t i = 0; i < LABELS * D; i++)
        check(&out[i], table + i * FIGURES);
    free(table);
}
END_TEST

/* A list in any order, any number of threads, and one latent after the other: the same bits. */
START_TEST(lists_and_threads_change_no_bit)
{
    const uint32_t list[4] = {4, 0, 5, 2};
    sae_auroc_result all[LABELS * D], some[LABELS * 4], one;
    ck_assert_int_eq(sae_model_describe(all, model, dump, labels, LABELS, NULL, D, NULL, NULL, NULL), SAE_OK);
    for (unsigned threads = 1; threads <= 3; threads++) {
        teardown();
        setup_threads(threads);
        ck_assert_int_eq(sae_model_describe(some, model, dump, labels, LABELS, list, 4, NULL, NULL, NULL),
                         SAE_OK);
        for (size_t l = 0; l < LABELS; l++)
            for (size_t i = 0; i < 4; i++)
                ck_assert_mem_eq(&some[l * 4 + i], &all[l * D + list[i]], sizeof one);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(sae_auroc(&one, model, dump, list[i], "persona=1", NULL, NULL, NULL, NULL), SAE_OK);
        ck_assert_mem_eq(&one, &all[2 * D + list[i]], sizeof one);
    }
}
END_TEST

static void refuse(const sae_label *label, const uint32_t *latents, size_t n_latents, sae_status wanted,
                   const char *text)
{
    sae_auroc_result out[D];
    sae_error err = {0};
    sae_status status =
        sae_model_describe(out, model, dump, label, label != NULL, latents, n_latents, NULL, NULL, &err);
    ck_assert_msg(status == wanted && strstr(err.text, text) != NULL, "%d %s", (int)status, err.text);
}

START_TEST(what_makes_no_sense_is_refused)
{
    const uint32_t far = D, twice[2] = {1, 1}, first = 0;
    sae_label mixed = labels[1], nothing = labels[0], all = labels[2], group = labels[0], column = labels[0];
    mixed.split = false;
    nothing.where = "region=9";
    all.condition = "persona<2";
    group.group = "chapter";
    column.condition = "mood=1";
    refuse(&mixed, &first, 1, SAE_E_MISMATCH, "edu=1");
    refuse(&nothing, &first, 1, SAE_E_ARGUMENT, "region=9");
    refuse(&all, &first, 1, SAE_E_ARGUMENT, "all of the 500");
    refuse(&group, &first, 1, SAE_E_NOT_FOUND, "chapter");
    refuse(&column, &first, 1, SAE_E_NOT_FOUND, "mood");
    refuse(&labels[0], &far, 1, SAE_E_NOT_FOUND, "0 to 5");
    refuse(&labels[0], twice, 2, SAE_E_ARGUMENT, "twice");
    refuse(&labels[0], NULL, 3, SAE_E_ARGUMENT, "6");
    refuse(&labels[0], &first, 0, SAE_E_ARGUMENT, "0 latents");
    refuse(NULL, &first, 1, SAE_E_ARGUMENT, "0 labels");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("describe");
    TCase *tests = tcase_create("describe");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, table_is_that_of_scipy);
    tcase_add_test(tests, lists_and_threads_change_no_bit);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
