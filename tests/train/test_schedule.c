/* What changes from step to step, against numbers worked out by hand, and the choices that fit the data. */
#include "../tools/run_suite.h"
#include "peer_cases.h"
#include "train/choices.h"
#include "train/schedule.h"

#include <math.h>

static sae_train_options options;

static void options_make(void)
{
    sae_train_options_init(&options);
    options.steps = 10;
    options.sparsity_coefficient = 0.5;
}

static void assert_number(double got, double expected, uint64_t t)
{
    ck_assert_msg(fabs(got - expected) <= 1e-12, "step %d: %.17g, expected %.17g", (int)t, got, expected);
}

START_TEST(learning_rate_rises_holds_and_falls)
{
    /* Two steps of warm-up, full rate up to step 5, then down to 0 in five. */
    const double expected[] = {0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2};
    options.learning_rate = 0.1;
    options.warmup = 0.2;
    options.decay_start = 0.5;
    for (uint64_t t = 0; t < 10; t++)
        assert_number(saei_learning_rate(&options, t), 0.1 * expected[t], t);
}
END_TEST

START_TEST(learning_rate_rises_from_zero)
{
    const double expected[] = {0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0.5};
    options.learning_rate = 0.1;
    options.warmup = 0.4;
    options.warmup_from_zero = true;
    options.decay_start = 0.6;
    for (uint64_t t = 0; t < 7; t++)
        assert_number(saei_learning_rate(&options, t), 0.1 * expected[t], t);
    assert_number(saei_learning_rate(&options, 8), 0.1 * expected[8], 8);
    options.warmup = 0.0;
    assert_number(saei_learning_rate(&options, 0), 0.1, 0);
}
END_TEST

START_TEST(learning_rate_of_the_peer_case)
{
    options.steps = RATE_STEPS;
    options.learning_rate = rate_peak;
    options.warmup = options.decay_start = (double)RATE_WARMUP / RATE_STEPS;
    for (uint64_t t = 0; t < RATE_COUNT; t++)
        assert_number(saei_learning_rate(&options, t), rates[t], t);
}
END_TEST

START_TEST(learning_rate_falls_to_a_share_of_its_peak)
{
    /* 1 − 3/4 · (t − 5)/5 */
    const double expected[] = {1, 1, 1, 1, 1, 1, 0.85, 0.7, 0.55, 0.4};
    options.learning_rate = 0.1;
    options.warmup = 0.0;
    options.decay_start = 0.5;
    options.decay_to = 0.25;
    for (uint64_t t = 0; t < 10; t++)
        assert_number(saei_learning_rate(&options, t), 0.1 * expected[t], t);
}
END_TEST

START_TEST(k_falls_to_its_value)
{
    /* From 3 · 4 in five steps: 4 (1 + 2 (1 − t/5)) = 12, 10.4, 8.8, 7.2, 5.6. */
    const size_t expected[] = {12, 10, 9, 7, 6, 4, 4, 4, 4, 4};
    options.k = 4;
    options.k_start = 3.0;
    options.k_anneal = 0.5;
    for (uint64_t t = 0; t < 10; t++)
        ck_assert_uint_eq(saei_schedule_k(&options, t), expected[t]);
    options.k_anneal = 0.0;
    ck_assert_uint_eq(saei_schedule_k(&options, 0), 4);
}
END_TEST

START_TEST(p_falls_in_equal_steps)
{
    /* 1 up to step 2, then four updates of 0.2 every two steps, the last of which stays. */
    const double expected[] = {1, 1, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.2, 0.2, 0.2};
    options.architecture = SAE_ARCH_P_ANNEAL;
    options.p_start = 0.2;
    options.p_end = 0.2;
    options.p_updates = 4;
    for (uint64_t t = 0; t <= 10; t++) {
        saei_penalty penalty = saei_schedule_penalty(&options, t, 1.0);
        assert_number(saei_schedule_p(&options, t), expected[t], t);
        ck_assert(penalty.p == (float)saei_schedule_p(&options, t));
        ck_assert(penalty.p_next == (float)saei_schedule_p(&options, t + 1));
    }
    options.architecture = SAE_ARCH_RELU;
    assert_number(saei_schedule_p(&options, 9), 1.0, 9);
}
END_TEST

START_TEST(penalty_warms_up)
{
    /* λ (t + 1) / 4 over 0.4 of the steps, times what p-anneal has made of it. */
    const double expected[] = {0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1};
    options.sparsity = SAE_SPARSITY_TANH;
    options.sparsity_warmup = 0.4;
    options.bandwidth = 0.25;
    for (uint64_t t = 0; t < 10; t++) {
        saei_penalty penalty = saei_schedule_penalty(&options, t, 3.0);
        assert_number(penalty.coefficient, 0.5 * 3.0 * expected[t], t);
        ck_assert(penalty.kind == SAE_SPARSITY_TANH && penalty.bandwidth == 0.25f);
    }
    options.sparsity_from_zero = true;
    for (uint64_t t = 1; t < 10; t++)
        assert_number(saei_schedule_penalty(&options, t, 3.0).coefficient, 0.5 * 3.0 * expected[t - 1], t);
    assert_number(saei_schedule_penalty(&options, 0, 3.0).coefficient, 0.0, 0);
    options.sparsity_warmup = 0.0;
    assert_number(saei_schedule_penalty(&options, 0, 1.0).coefficient, 0.5, 0);
}
END_TEST

static void choose(size_t d, uint64_t rows)
{
    sae_train_options_init(&options);
    ck_assert_int_eq(saei_train_options_choose(&options, d, rows, NULL), SAE_OK);
}

START_TEST(choices_fit_the_data)
{
    choose(128, 100000);
    ck_assert_uint_eq(options.n_latents, 2048);
    ck_assert_uint_eq(options.k, 16);
    ck_assert_uint_eq(options.batch_rows, 512);
    ck_assert_uint_eq(options.steps, 8000);
    /* Few rows: fewer latents, no batch larger than the dump. */
    choose(128, 300);
    ck_assert_uint_eq(options.n_latents, 16);
    ck_assert_uint_eq(options.batch_rows, 300);
    /* Many rows: one pass. */
    choose(128, 20480000);
    ck_assert_uint_eq(options.steps, 40000);
    choose(768, 1000000);
    ck_assert_uint_eq(options.n_latents, 16384);
    ck_assert_uint_eq(options.k, 32);
    ck_assert_uint_eq(options.batch_rows, 2048);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_checked_fixture(tests, options_make, NULL);
    tcase_add_test(tests, learning_rate_rises_holds_and_falls);
    tcase_add_test(tests, learning_rate_rises_from_zero);
    tcase_add_test(tests, learning_rate_of_the_peer_case);
    tcase_add_test(tests, learning_rate_falls_to_a_share_of_its_peak);
    tcase_add_test(tests, k_falls_to_its_value);
    tcase_add_test(tests, p_falls_in_equal_steps);
    tcase_add_test(tests, penalty_warms_up);
    tcase_add_test(tests, choices_fit_the_data);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
