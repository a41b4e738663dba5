/* What screening learns from batch to batch: where rows begin, whether bytes pay, and that neither changes a
   bit of the training. */
#include "planted_run.h"
#include "../tools/run_suite.h"
#include "num/screen_ends.h"
#include "train/trainer.h"

#include <string.h>

static saei_screen_counts rows_ending_at(float end, uint64_t rows)
{
    saei_screen_counts one = {.ends = {0}}, counts = {.rows = rows};
    saei_screen_note_end(&one, end);
    for (size_t at = 0; at < SAEI_SCREEN_ENDS; at++)
        counts.ends[at] = one.ends[at] * rows;
    return counts;
}

START_TEST(start_is_below_almost_all_ends)
{
    for (float end = 1e-4f; end < 1e4f; end *= 1.7f) {
        saei_screen_counts counts = rows_ending_at(end, 5000);
        float start = saei_screen_start(counts.ends);
        ck_assert(start <= end && start > 0.96f * end);
        saei_screen_counts few = rows_ending_at(end / 3.0f, 30), several = rows_ending_at(end / 3.0f, 50);
        saei_screen_counts with_few = counts;
        saei_screen_counts_add(&with_few, &few, 1);
        ck_assert(saei_screen_start(with_few.ends) == start);
        saei_screen_counts_add(&counts, &several, 1);
        ck_assert(saei_screen_start(counts.ends) <= end / 3.0f);
    }
}
END_TEST

START_TEST(rows_without_a_kth_leave_no_start)
{
    saei_screen_counts none = {.ends = {0}}, some = rows_ending_at(1.0f, 100);
    ck_assert(saei_screen_start(none.ends) == 0.0f);
    ck_assert(saei_screen_start(some.ends) > 0.0f);
    some.ends[0] = 1;
    ck_assert(saei_screen_start(some.ends) == 0.0f);
}
END_TEST

/* Bytes are for batches that know where to begin, as long as little is left to be looked at again. */
START_TEST(bytes_are_used_while_they_pay)
{
    saei_screening s = {0};
    saei_screen_counts batch = rows_ending_at(1.0f, 1000), open = rows_ending_at(0.0f, 1000);
    saei_screening_learn(&s, &open, 768, 16384, false, false);
    ck_assert(!s.in_bytes && s.start == 0.0f);
    saei_screening_learn(&s, &open, 768, 16384, false, true);
    ck_assert(s.in_bytes);
    saei_screening_learn(&s, &batch, 768, 16384, false, false);
    ck_assert(s.in_bytes && s.start > 0.0f);
    batch.refined = 150 * batch.rows;
    saei_screening_learn(&s, &batch, 768, 16384, true, false);
    ck_assert(s.in_bytes);
    batch.refined = 1000 * batch.rows;
    saei_screening_learn(&s, &batch, 768, 16384, true, false);
    ck_assert(!s.in_bytes);
    batch.refined = 0;
    saei_screening_learn(&s, &batch, 768, 16384, false, false);
    ck_assert(!s.in_bytes);
}
END_TEST

/* A machine without products of bytes has them in plain C. */
static void use_portable_kernel(sae_trainer *t)
{
    saei_objective *o = &t->objective;
    saei_panels_free(o->panels);
    ck_assert_int_eq(saei_panels_new(&o->panels, o->context, o->settings.d, o->settings.n_latents,
                                     &saei_screen_portable, NULL),
                     SAE_OK);
    saei_objective_pack(o, &t->parameters);
}

static void assert_same_floats(const float *one, const float *two, size_t n)
{
    ck_assert_int_eq(memcmp(one, two, n * sizeof *one), 0);
}

START_TEST(training_in_bytes_is_training_in_wide_numbers)
{
    run r = run_new(2);
    sae_trainer *bytes = run_trainer(&r), *wide = run_trainer(&r);
    use_portable_kernel(bytes);
    for (int step = 0; step < 60; step++) {
        bytes->objective.screening.bytes_are_slow = false;
        bytes->objective.screening.in_bytes = true;
        wide->objective.screening.bytes_are_slow = true;
        wide->objective.screening.start = 0.0f;
        ck_assert_int_eq(sae_trainer_step(bytes, NULL), SAE_OK);
        ck_assert_int_eq(sae_trainer_step(wide, NULL), SAE_OK);
    }
    const saei_screen_counts *with = &bytes->objective.screened, *without = &wide->objective.screened;
    ck_assert_uint_gt(with->refined, 0);
    ck_assert_uint_eq(without->refined, 0);
    ck_assert_uint_eq(without->restarted, 0);
    assert_same_floats(bytes->parameters.W_enc, wide->parameters.W_enc, r.options.n_latents * D);
    assert_same_floats(bytes->parameters.W_dec, wide->parameters.W_dec, r.options.n_latents * D);
    assert_same_floats(bytes->parameters.b_enc, wide->parameters.b_enc, r.options.n_latents);
    sae_trainer_free(bytes);
    sae_trainer_free(wide);
    run_free(&r);
}
END_TEST

START_TEST(heldout_rows_teach_nothing)
{
    run r = run_new(2);
    sae_trainer *t = run_trainer(&r);
    for (int step = 0; step < 3; step++)
        ck_assert_int_eq(sae_trainer_step(t, NULL), SAE_OK);
    saei_screening learnt = t->objective.screening;
    saei_penalty none = {0};
    memset(t->objective.xc, 0, 16 * D * sizeof *t->objective.xc);
    saei_objective_forward(&t->objective, &t->parameters, &none, 1.0f, 16);
    ck_assert(learnt.start > 0.0f && t->objective.screening.start == learnt.start);
    ck_assert(t->objective.screening.in_bytes == learnt.in_bytes);
    sae_trainer_free(t);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("screening");
    TCase *tests = tcase_create("screening");
    tcase_add_test(tests, start_is_below_almost_all_ends);
    tcase_add_test(tests, rows_without_a_kth_leave_no_start);
    tcase_add_test(tests, bytes_are_used_while_they_pay);
    tcase_add_test(tests, training_in_bytes_is_training_in_wide_numbers);
    tcase_add_test(tests, heldout_rows_teach_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
