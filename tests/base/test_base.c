#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "../tools/run_suite.h"

#include <errno.h>
#include <string.h>

START_TEST(error_is_one_line_and_optional)
{
    sae_error err;
    ck_assert_int_eq(saei_fail(&err, SAE_E_FORMAT, "%s", "a\nb\x1b[31m"), SAE_E_FORMAT);
    ck_assert_str_eq(err.text, "a?b?[31m");
    ck_assert_int_eq(saei_fail(NULL, SAE_E_IO, "x"), SAE_E_IO);
    ck_assert_int_eq(saei_fail_errno(&err, ENOENT, "x.npy"), SAE_E_NOT_FOUND);
    ck_assert_str_eq(err.text, "x.npy: No such file or directory");
    ck_assert_int_eq(err.os_errno, ENOENT);
}
END_TEST

START_TEST(memory_limit_holds)
{
    sae_context_options opt;
    sae_context_options_init(&opt);
    opt.memory_limit = 1 << 20;
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, &opt, NULL), SAE_OK);
    void *a, *b;
    ck_assert_int_eq(saei_alloc(&a, context, 1 << 19, 1, NULL), SAE_OK);
    ck_assert_uint_eq((uintptr_t)a % 64, 0);
    ck_assert_int_eq(saei_alloc(&b, context, 1 << 19, 1, NULL), SAE_E_MEMORY);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(saei_alloc(&b, context, SIZE_MAX / 2, 3, NULL), SAE_E_MEMORY);
    saei_free(context, a);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

typedef struct two_sizes {
    size_t size;
    int a, b;
} two_sizes;

START_TEST(options_of_other_versions)
{
    two_sizes defaults = {sizeof defaults, 1, 2}, given = {offsetof(two_sizes, b), 7, 9};
    ck_assert_int_eq(saei_options_read(&defaults, sizeof defaults, &given, NULL), SAE_OK);
    ck_assert_int_eq(defaults.a, 7);
    ck_assert_int_eq(defaults.b, 2);
    struct {
        two_sizes known;
        int unknown[2];
    } newer = {{sizeof newer, 3, 4}, {0, 0}};
    ck_assert_int_eq(saei_options_read(&defaults, sizeof defaults, &newer, NULL), SAE_OK);
    newer.unknown[0] = 1;
    ck_assert_int_eq(saei_options_read(&defaults, sizeof defaults, &newer, NULL), SAE_E_ARGUMENT);
}
END_TEST

/* First outputs of xoshiro256** from the state 1, 2, 3, 4, as published with the reference implementation. */
START_TEST(rng_is_xoshiro)
{
    saei_rng rng = {{1, 2, 3, 4}};
    ck_assert_uint_eq(saei_rng_next(&rng), 11520u);
    ck_assert_uint_eq(saei_rng_next(&rng), 0u);
    ck_assert_uint_eq(saei_rng_next(&rng), 1509978240u);
}
END_TEST

START_TEST(shuffle_is_a_permutation)
{
    uint64_t items[100], seen[100] = {0};
    for (uint64_t i = 0; i < 100; i++)
        items[i] = i;
    saei_rng rng = saei_rng_new(1, SAEI_STREAM_ROWS, 0);
    saei_rng_shuffle(&rng, items, 100);
    for (size_t i = 0; i < 100; i++)
        seen[items[i]]++;
    for (size_t i = 0; i < 100; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

static void count_visit(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    ((int *)arg)[task]++;
}

START_TEST(parallel_for_visits_each_task_once)
{
    for (unsigned threads = 1; threads <= 4; threads++) {
        sae_context_options opt;
        sae_context_options_init(&opt);
        opt.threads = threads;
        sae_context *context;
        ck_assert_int_eq(sae_context_new(&context, &opt, NULL), SAE_OK);
        int visits[1000] = {0};
        saei_parallel_for(context, 1000, count_visit, visits);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(visits[i], 1);
        sae_context_free(context);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, error_is_one_line_and_optional);
    tcase_add_test(tests, memory_limit_holds);
    tcase_add_test(tests, options_of_other_versions);
    tcase_add_test(tests, rng_is_xoshiro);
    tcase_add_test(tests, shuffle_is_a_permutation);
    tcase_add_test(tests, parallel_for_visits_each_task_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
