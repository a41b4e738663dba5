/* Several SAEs from one reading of the rows: each has the bits it would have alone, also after a stop. */
#include "../tools/run_suite.h"
#include "model/model.h"
#include "planted_run.h"
#include "train/trainer.h"

#include <string.h>
#include <unistd.h>

enum { N = 3, DATA_SEED = 5 };

static char folder[] = "/tmp/libsae-set-XXXXXX";

/* Three that differ in size, k, seed, rate and architecture, and their files. */
typedef struct set {
    run r;
    sae_train_options options[N];
    const sae_train_options *list[N];
    char paths[N][64];
    const char *checkpoints[N];
    sae_trainer *trainers[N];
} set;

static void set_begin(set *s, unsigned threads, uint64_t memory)
{
    s->r = run_within(threads, memory);
    s->r.options.steps = 60;
    s->r.options.batch_rows = 300;
    s->r.options.heldout_every = 20;
    for (size_t i = 0; i < N; i++) {
        s->options[i] = s->r.options;
        s->options[i].seed = i;
        s->list[i] = &s->options[i];
        snprintf(s->paths[i], sizeof s->paths[i], "%s/%zu.ckpt", folder, i);
        unlink(s->paths[i]);
        s->checkpoints[i] = s->options[i].checkpoint = s->paths[i];
    }
    s->options[0].data_seed = DATA_SEED;
    s->options[1].n_latents = 48;
    s->options[1].k = 2;
    s->options[1].learning_rate = 2e-3;
    s->options[2].architecture = SAE_ARCH_BATCHTOPK;
}

static void set_free_trainers(set *s)
{
    for (size_t i = 0; i < N; i++)
        sae_trainer_free(s->trainers[i]);
}

static void set_new(set *s)
{
    sae_error err;
    ck_assert_msg(sae_trainer_new_many(s->trainers, N, s->r.dump, NULL, s->list, &err) == SAE_OK, "%s",
                  err.text);
}

static void set_load(set *s, const char *const *paths)
{
    sae_error err;
    ck_assert_msg(sae_trainer_load_many(s->trainers, N, paths, s->r.dump, NULL, s->list, &err) == SAE_OK,
                  "%s", err.text);
}

static void set_run(set *s)
{
    sae_error err;
    ck_assert_msg(sae_trainer_run_many(s->trainers, N, &err) == SAE_OK, "%s", err.text);
}

static bool same_floats(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static bool same_model(const sae_model *a, const sae_model *b)
{
    size_t weights = a->d * a->n_latents;
    return a->d == b->d && a->n_latents == b->n_latents && same_floats(a->W_enc, b->W_enc, weights) &&
           same_floats(a->W_dec, b->W_dec, weights) && same_floats(a->b_enc, b->b_enc, a->n_latents) &&
           same_floats(a->b_dec, b->b_dec, a->d) &&
           strcmp(sae_model_metadata(a, "heldout_fvu"), sae_model_metadata(b, "heldout_fvu")) == 0 &&
           strcmp(sae_model_metadata(a, "steps"), sae_model_metadata(b, "steps")) == 0;
}

static void models_of(sae_model *out[N], const set *s)
{
    for (size_t i = 0; i < N; i++)
        out[i] = run_model(s->trainers[i]);
}

static void free_models(sae_model *models[N])
{
    for (size_t i = 0; i < N; i++)
        sae_model_free(models[i]);
}

static void assert_set_has(const set *s, sae_model *const expected[N])
{
    sae_model *models[N];
    models_of(models, s);
    for (size_t i = 0; i < N; i++)
        ck_assert_msg(same_model(models[i], expected[i]), "SAE %zu differs", i);
    free_models(models);
}

static sae_model *alone(const set *s, size_t i, uint64_t data_seed)
{
    run r = s->r;
    r.options = s->options[i];
    r.options.data_seed = data_seed;
    sae_trainer *trainer = run_trainer(&r);
    run_to_end(trainer);
    sae_model *model = run_model(trainer);
    sae_trainer_free(trainer);
    return model;
}

START_TEST(each_has_the_bits_it_has_alone)
{
    for (unsigned threads = 1; threads <= 2; threads++) {
        set s;
        set_begin(&s, threads, 0);
        set_new(&s);
        set_run(&s);
        for (size_t i = 0; i < N; i++) {
            sae_model *expected = alone(&s, i, DATA_SEED), *other_order = alone(&s, i, UINT64_MAX);
            sae_model *model = run_model(s.trainers[i]);
            ck_assert_msg(same_model(model, expected), "SAE %zu with %u threads", i, threads);
            ck_assert_msg(!same_model(model, other_order), "SAE %zu did not take the common row order", i);
            ck_assert_str_eq(sae_model_metadata(model, "data_seed"), "5");
            ck_assert_ptr_null(sae_model_metadata(other_order, "data_seed"));
            sae_model_free(model);
            sae_model_free(expected);
            sae_model_free(other_order);
        }
        set_free_trainers(&s);
        run_free(&s.r);
    }
}
END_TEST

static sae_status try_within(uint64_t memory, sae_error *err)
{
    set s;
    set_begin(&s, 1, memory);
    sae_status status = sae_trainer_new_many(s.trainers, N, s.r.dump, NULL, s.list, err);
    set_free_trainers(&s);
    run_free(&s.r);
    return status;
}

/* The limit that the error names, in megabytes. */
static double least_memory(void)
{
    sae_error err = {0};
    ck_assert_int_eq(try_within(1 << 20, &err), SAE_E_MEMORY);
    const char *least = strstr(err.text, "at least ");
    ck_assert_msg(least != NULL && strstr(err.text, "3 SAEs") != NULL, "%s", err.text);
    return atof(least + strlen("at least "));
}

static int stop_at(void *user, const sae_train_metrics *metrics)
{
    return metrics->step == *(const uint64_t *)user;
}

/* The models of a run without a stop; their context is that of `whole`. */
static void undisturbed(set *whole, sae_model *expected[N], uint64_t memory)
{
    set_begin(whole, 2, memory);
    set_new(whole);
    bool windows = saei_batches_window_rows(whole->trainers[0]->batches) < 2000;
    ck_assert_int_eq(windows, memory > 0);
    set_run(whole);
    models_of(expected, whole);
    set_free_trainers(whole);
}

/* Stops all at a step, lets some take further steps on their own, and begins one anew. */
static void resume_apart(uint64_t memory, uint64_t stop)
{
    set whole, s;
    sae_error err;
    sae_model *expected[N];
    undisturbed(&whole, expected, memory);
    set_begin(&s, 2, memory);
    s.options[1].on_step = stop_at;
    s.options[1].on_step_user = &stop;
    set_new(&s);
    ck_assert_int_eq(sae_trainer_run_many(s.trainers, N, &err), SAE_STOPPED);
    for (size_t i = 0; i < N; i++)
        ck_assert_uint_eq(sae_trainer_metrics(s.trainers[i]).step, stop);
    for (int ahead = 0; ahead < 9; ahead++) {
        ck_assert_int_eq(sae_trainer_step(s.trainers[0], &err), SAE_OK);
        ck_assert_int_eq(ahead % 2 == 0 ? sae_trainer_step(s.trainers[2], &err) : SAE_OK, SAE_OK);
    }
    ck_assert_int_eq(sae_trainer_save(s.trainers[0], s.paths[0], &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_save(s.trainers[2], s.paths[2], &err), SAE_OK);
    set_free_trainers(&s);
    s.options[1].on_step = NULL;
    for (size_t fresh = 0; fresh <= N; fresh++) {
        const char *paths[N];
        for (size_t i = 0; i < N; i++)
            paths[i] = i == fresh ? NULL : s.checkpoints[i];
        set_load(&s, paths);
        for (size_t i = 0; i < N; i++)
            ck_assert_uint_eq(sae_trainer_metrics(s.trainers[i]).step, i == fresh ? 0
                                                                                  : stop + (i == 0   ? 9
                                                                                            : i == 2 ? 5
                                                                                                     : 0));
        set_run(&s);
        assert_set_has(&s, expected);
        set_free_trainers(&s);
    }
    free_models(expected);
    run_free(&whole.r);
    run_free(&s.r);
}

START_TEST(those_behind_catch_up)
{
    resume_apart(0, 7);
    resume_apart(0, 31);
}
END_TEST

START_TEST(those_behind_catch_up_in_little_memory)
{
    uint64_t memory = (uint64_t)((least_memory() + 0.1) * 1e6);
    resume_apart(memory, 3);
    resume_apart(memory, 24);
}
END_TEST

START_TEST(one_that_diverges_is_named_and_costs_the_others_nothing)
{
    set s;
    sae_error err;
    sae_model *expected[N];
    set_begin(&s, 1, 0);
    for (size_t i = 0; i < N; i++)
        s.options[i].steps = 140;
    set_new(&s);
    set_run(&s);
    models_of(expected, &s);
    set_free_trainers(&s);
    s.options[1].spike = 1e-6; /* any loss is a jump, once jumps count */
    set_new(&s);
    ck_assert_int_eq(sae_trainer_run_many(s.trainers, N, &err), SAE_E_NONFINITE);
    ck_assert_msg(strstr(err.text, "SAE 2 of 3 (48 latents, k 2, seed 1") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "jumped") != NULL, "%s", err.text);
    set_free_trainers(&s);
    ck_assert_int_eq(access(s.paths[1], F_OK), -1);
    s.options[1].spike = 0.0;
    const char *paths[N] = {s.paths[0], NULL, s.paths[2]};
    set_load(&s, paths);
    ck_assert_uint_eq(sae_trainer_metrics(s.trainers[0]).step, 101);
    ck_assert_uint_eq(sae_trainer_metrics(s.trainers[2]).step, 100);
    set_run(&s);
    assert_set_has(&s, expected);
    set_free_trainers(&s);
    free_models(expected);
    run_free(&s.r);
}
END_TEST

/* The one without gain ends early and stays ended when the set goes on from its checkpoints. */
START_TEST(one_without_gain_leaves)
{
    set s;
    sae_error err;
    uint64_t stop = 40;
    set_begin(&s, 1, 0);
    s.options[1].learning_rate = 1e-30;
    s.options[1].free_decoder = true;
    s.options[1].heldout_every = 2;
    s.options[1].patience = 3;
    s.options[2].on_step = stop_at;
    s.options[2].on_step_user = &stop;
    set_new(&s);
    ck_assert_int_eq(sae_trainer_run_many(s.trainers, N, &err), SAE_STOPPED);
    set_free_trainers(&s);
    s.options[2].on_step = NULL;
    set_load(&s, s.checkpoints);
    set_run(&s);
    ck_assert_uint_eq(sae_trainer_metrics(s.trainers[0]).step, 60);
    ck_assert_uint_eq(sae_trainer_metrics(s.trainers[1]).step, 8);
    ck_assert_uint_eq(sae_trainer_metrics(s.trainers[2]).step, 60);
    set_free_trainers(&s);
    run_free(&s.r);
}
END_TEST

START_TEST(checkpoint_of_the_end_gives_the_same_models)
{
    set s;
    sae_error err;
    sae_model *expected[N];
    set_begin(&s, 1, 0);
    set_new(&s);
    set_run(&s);
    models_of(expected, &s);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(sae_trainer_save(s.trainers[i], s.paths[i], &err), SAE_OK);
    set_free_trainers(&s);
    set_load(&s, s.checkpoints);
    set_run(&s);
    assert_set_has(&s, expected);
    set_free_trainers(&s);
    free_models(expected);
    run_free(&s.r);
}
END_TEST

static void assert_refused(set *s, sae_status expected, const char *words)
{
    sae_error err = {0};
    ck_assert_int_eq(sae_trainer_new_many(s->trainers, N, s->r.dump, NULL, s->list, &err), expected);
    ck_assert_msg(strstr(err.text, words) != NULL && strstr(err.text, "SAE 3 of 3") != NULL, "%s", err.text);
    for (size_t i = 0; i < N; i++)
        ck_assert_ptr_null(s->trainers[i]);
}

START_TEST(what_is_shared_must_agree)
{
    set s;
    set_begin(&s, 1, 0);
    s.options[2].batch_rows = 200;
    assert_refused(&s, SAE_E_ARGUMENT, "batch_rows");
    s.options[2].batch_rows = 0;
    s.options[2].steps = 61;
    assert_refused(&s, SAE_E_ARGUMENT, "steps");
    s.options[2].steps = 0;
    s.options[2].heldout = 0.1;
    assert_refused(&s, SAE_E_ARGUMENT, "heldout");
    s.options[2].heldout = s.options[0].heldout;
    s.options[2].data_seed = 2;
    assert_refused(&s, SAE_E_ARGUMENT, "data_seed");
    s.options[2].data_seed = UINT64_MAX;
    s.options[2].k = 1000;
    assert_refused(&s, SAE_E_ARGUMENT, "k must not exceed");
    s.options[2].k = 3;
    set_new(&s);
    sae_train_options chosen = sae_trainer_options(s.trainers[2]);
    ck_assert_uint_eq(chosen.batch_rows, 300);
    ck_assert_uint_eq(chosen.steps, 60);
    ck_assert_uint_eq(chosen.data_seed, DATA_SEED);
    ck_assert_int_eq(sae_trainer_run_many(s.trainers, 0, NULL), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_trainer_new_many(NULL, 0, s.r.dump, NULL, NULL, NULL), SAE_E_ARGUMENT);
    sae_trainer *apart = run_trainer(&s.r), *mixed[2] = {s.trainers[0], apart};
    ck_assert_int_eq(sae_trainer_run_many(mixed, 2, NULL), SAE_E_ARGUMENT);
    sae_trainer_free(apart);
    set_free_trainers(&s);
    run_free(&s.r);
}
END_TEST

/* The error names a limit that is enough for all, and one a little lower is not. */
START_TEST(memory_is_planned_for_all)
{
    sae_error err = {0};
    double megabytes = least_memory();
    ck_assert_msg(try_within((uint64_t)(megabytes * 1e6), &err) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(try_within((uint64_t)((megabytes - 0.2) * 1e6), &err), SAE_E_MEMORY);
}
END_TEST

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    Suite *suite = suite_create("trainer set");
    TCase *tests = tcase_create("trainer set");
    tcase_add_test(tests, each_has_the_bits_it_has_alone);
    tcase_add_test(tests, those_behind_catch_up);
    tcase_add_test(tests, those_behind_catch_up_in_little_memory);
    tcase_add_test(tests, one_that_diverges_is_named_and_costs_the_others_nothing);
    tcase_add_test(tests, one_without_gain_leaves);
    tcase_add_test(tests, checkpoint_of_the_end_gives_the_same_models);
    tcase_add_test(tests, what_is_shared_must_agree);
    tcase_add_test(tests, memory_is_planned_for_all);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? status : EXIT_FAILURE;
}
