/* Runs that end early: nothing more to gain, a loss that jumps, numbers that overflow. */
#include "../tools/run_suite.h"
#include "planted_run.h"

#include <string.h>
#include <unistd.h>

enum { LITTLE_MEMORY = 4000000 };

START_TEST(patience_ends_a_run_without_gain)
{
    run r = run_new(1);
    r.options.learning_rate = 1e-30; /* no weight moves by it … */
    r.options.free_decoder = true;   /* … nor by the rounding of unit rows */
    r.options.heldout_every = 2;
    r.options.patience = 3;
    sae_trainer *trainer = run_trainer(&r);
    run_to_end(trainer);
    /* The first measurement is the best there is, the next three do not improve on it. */
    ck_assert_uint_eq(sae_trainer_metrics(trainer).step, 8);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

START_TEST(gain_renews_patience)
{
    run r = run_new(1);
    r.options.steps = 30;
    r.options.heldout_every = 2;
    r.options.patience = 3;
    sae_trainer *trainer = run_trainer(&r);
    run_to_end(trainer);
    ck_assert_uint_eq(sae_trainer_metrics(trainer).step, 30);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

/* Rows that change under a run whose window is smaller than they are. */
typedef struct outbreak {
    float *rows;
    uint64_t step;
    float factor;
} outbreak;

static int break_out(void *user, const sae_train_metrics *metrics)
{
    const outbreak *o = user;
    for (size_t i = 0; i < ROWS * D && metrics->step == o->step; i++)
        o->rows[i] *= o->factor;
    return 0;
}

/* The run fails with words about it; its last checkpoint is from before and goes on to the end with sound
 * rows. */
static void assert_stopped(uint64_t step, float factor, double spike, const char *words)
{
    char path[] = "/tmp/libsae-stop-XXXXXX", previous[sizeof path + 5];
    int file = mkstemp(path);
    run r = run_within(1, LITTLE_MEMORY);
    outbreak out = {r.rows, step, factor};
    sae_error err = {0};
    float *sound = malloc(ROWS * D * sizeof *sound);
    ck_assert(file >= 0 && sound != NULL);
    close(file);
    memcpy(sound, r.rows, ROWS * D * sizeof *sound);
    r.options.batch_rows = 300;
    r.options.steps = step + 40;
    r.options.checkpoint = path;
    r.options.checkpoint_seconds = 0.0;
    r.options.spike = spike;
    r.options.on_step = break_out;
    r.options.on_step_user = &out;
    sae_trainer *trainer = run_trainer(&r);
    ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_E_NONFINITE);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_uint_lt(sae_trainer_metrics(trainer).step, step + 40);
    sae_trainer_free(trainer);
    memcpy(r.rows, sound, ROWS * D * sizeof *sound);
    out.step = 0;
    ck_assert_msg(sae_trainer_load(&trainer, path, r.dump, NULL, &r.options, &err) == SAE_OK, "%s", err.text);
    run_to_end(trainer);
    ck_assert(sae_trainer_metrics(trainer).heldout.fvu < 1.0);
    sae_trainer_free(trainer);
    free(sound);
    run_free(&r);
    snprintf(previous, sizeof previous, "%s.prev", path);
    unlink(previous);
    unlink(path);
}

START_TEST(jump_of_the_loss_stops)
{
    assert_stopped(110, 30.0f, 10.0, "jumped");
}
END_TEST

START_TEST(overflow_stops)
{
    assert_stopped(10, 1e30f, 0.0, "diverged");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("training stops");
    TCase *tests = tcase_create("training stops");
    tcase_add_test(tests, patience_ends_a_run_without_gain);
    tcase_add_test(tests, gain_renews_patience);
    tcase_add_test(tests, jump_of_the_loss_stops);
    tcase_add_test(tests, overflow_stops);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
