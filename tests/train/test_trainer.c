/* Whole runs: they learn, they do not depend on the thread count, and a resumed one ends in the same bits. */
#include "../tools/run_suite.h"
#include "dump/batches.h"
#include "planted_run.h"
#include "sae.h"

#include <string.h>
#include <unistd.h>

static void save_model(const sae_trainer *trainer, const char *path)
{
    sae_model *model = run_model(trainer);
    sae_error err;
    ck_assert_msg(sae_model_save(model, path, true, &err) == SAE_OK, "%s", err.text);
    sae_model_free(model);
}

static void train_to(const run *r, const char *path)
{
    sae_trainer *trainer = run_trainer(r);
    run_to_end(trainer);
    save_model(trainer, path);
    sae_trainer_free(trainer);
}

static size_t slurp(unsigned char **out, const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    *out = calloc(1, 1 << 20);
    size_t n = fread(*out, 1, 1 << 20, file);
    fclose(file);
    return n;
}

static void assert_same_file(const char *a, const char *b)
{
    unsigned char *x, *y;
    size_t n = slurp(&x, a), m = slurp(&y, b);
    ck_assert_uint_gt(n, 1000);
    ck_assert_uint_eq(n, m);
    ck_assert_int_eq(memcmp(x, y, n), 0);
    free(x);
    free(y);
}

static char folder[] = "/tmp/libsae-trainer-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][64];
    static int next = 0;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

START_TEST(training_learns_planted_directions)
{
    run r = run_new(2);
    sae_trainer *trainer;
    sae_error err;
    r.options.steps = 800;
    ck_assert_msg(sae_trainer_new(&trainer, r.dump, NULL, &r.options, &err) == SAE_OK, "%s", err.text);
    ck_assert_msg(sae_trainer_run(trainer, &err) == SAE_OK, "%s", err.text);
    sae_train_metrics m = sae_trainer_metrics(trainer);
    ck_assert_uint_eq(m.step, 800);
    ck_assert(m.heldout_fresh && m.heldout.rows > 0);
    ck_assert_msg(m.heldout.fvu < 0.1, "fvu %g", m.heldout.fvu);
    ck_assert(m.heldout.l0 > 2.0 && m.heldout.l0 <= 3.0);
    ck_assert(fabs(m.heldout.fvu + m.heldout.explained_variance - 1.0) < 1e-12);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

/* The model takes raw rows: its reconstruction has the FVU that training measured in scaled units. */
START_TEST(model_is_in_raw_units)
{
    run r = run_new(2);
    sae_trainer *trainer;
    sae_model *model;
    sae_codes *codes;
    r.options.heldout = 0.0;
    r.options.steps = 200;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, r.dump, &r.options, NULL), SAE_OK);
    ck_assert_int_eq(sae_trainer_run(trainer, NULL), SAE_OK);
    ck_assert_int_eq(sae_trainer_model(&model, trainer, NULL), SAE_OK);
    ck_assert_int_eq(sae_codes_new(&codes, r.context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){r.rows, ROWS, D, D}, NULL), SAE_OK);
    float *out = calloc(ROWS * D, sizeof *out);
    ck_assert_int_eq(sae_model_decode(out, model, sae_codes_get(codes), NULL), SAE_OK);
    double residual2 = 0.0, variance = 0.0;
    for (size_t i = 0; i < D; i++) {
        double mean = 0.0;
        for (size_t row = 0; row < ROWS; row++)
            mean += (double)r.rows[row * D + i] / ROWS;
        for (size_t row = 0; row < ROWS; row++) {
            residual2 += pow((double)r.rows[row * D + i] - (double)out[row * D + i], 2.0);
            variance += pow((double)r.rows[row * D + i] - mean, 2.0);
        }
    }
    double fvu = sae_trainer_metrics(trainer).heldout.fvu;
    ck_assert_msg(fabs(residual2 / variance - fvu) <= 1e-4 * fvu, "%g against %g", residual2 / variance, fvu);
    ck_assert_str_eq(sae_model_metadata(model, "seed"), "0");
    ck_assert_ptr_nonnull(sae_model_metadata(model, "data_xxh3_128"));
    free(out);
    sae_codes_free(codes);
    sae_model_free(model);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    const char *paths[3];
    for (unsigned threads = 1; threads <= 3; threads++) {
        char name[16];
        snprintf(name, sizeof name, "threads%u", threads);
        paths[threads - 1] = in_folder(name);
        run r = run_new(threads);
        train_to(&r, paths[threads - 1]);
        run_free(&r);
    }
    assert_same_file(paths[0], paths[1]);
    assert_same_file(paths[0], paths[2]);
}
END_TEST

/* What the threads need must not come out of the shuffle. */
START_TEST(threads_do_not_change_a_bit_in_little_memory)
{
    static const unsigned threads[] = {1, 2, 40};
    const char *paths[3];
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "little%zu", i);
        paths[i] = in_folder(name);
        run r = run_within(threads[i], 4000000);
        r.options.batch_rows = 300;
        r.options.steps = 40;
        train_to(&r, paths[i]);
        sae_model *model;
        ck_assert_int_eq(sae_model_load(&model, r.context, paths[i], NULL), SAE_OK);
        ck_assert_int_lt(atoi(sae_model_metadata(model, "shuffle_rows")), 2000);
        sae_model_free(model);
        run_free(&r);
    }
    assert_same_file(paths[0], paths[1]);
    assert_same_file(paths[0], paths[2]);
}
END_TEST

static int stop_at(void *user, const sae_train_metrics *metrics)
{
    return metrics->step == *(const uint64_t *)user;
}

/* Stops at several steps, inside and between epochs, also with windows smaller than the data. */
START_TEST(resumed_run_ends_in_the_same_bits)
{
    const char *undisturbed = in_folder("undisturbed"), *resumed = in_folder("resumed"),
               *ckpt = in_folder("ckpt");
    run r = run_new(2);
    train_to(&r, undisturbed);
    uint64_t stops[] = {1, 7, 150, 299};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        sae_trainer *trainer;
        sae_error err;
        r.options.checkpoint = ckpt;
        r.options.on_step = stop_at;
        r.options.on_step_user = &stops[i];
        ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, NULL, &r.options, &err), SAE_OK);
        ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_STOPPED);
        sae_trainer_free(trainer);
        r.options.on_step = NULL;
        ck_assert_msg(sae_trainer_load(&trainer, ckpt, r.dump, NULL, &r.options, &err) == SAE_OK, "%s",
                      err.text);
        ck_assert_uint_eq(sae_trainer_metrics(trainer).step, stops[i]);
        ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_OK);
        save_model(trainer, resumed);
        sae_trainer_free(trainer);
        assert_same_file(undisturbed, resumed);
    }
    run_free(&r);
}
END_TEST

/* Every flipped byte of a checkpoint is noticed; the previous one takes over when there is one. */
START_TEST(damaged_checkpoint_is_refused)
{
    const char *ckpt = in_folder("flip"), *damaged = in_folder("damaged");
    run r = run_new(1);
    sae_trainer *trainer;
    sae_error err;
    r.options.steps = 3;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, NULL, &r.options, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_step(trainer, &err), SAE_OK);
    ck_assert_msg(sae_trainer_save(trainer, ckpt, &err) == SAE_OK, "%s", err.text);
    sae_trainer_free(trainer);
    unsigned char *bytes;
    size_t n = slurp(&bytes, ckpt);
    for (size_t at = 0; at < n; at += at < 4000 ? 37 : 997) {
        FILE *file = fopen(damaged, "wb");
        bytes[at] ^= 0x10;
        fwrite(bytes, 1, n, file);
        fclose(file);
        bytes[at] ^= 0x10;
        sae_status status = sae_trainer_load(&trainer, damaged, r.dump, NULL, &r.options, &err);
        if (status == SAE_OK) {
            /* Only white space of the header may change without a trace. */
            ck_assert_msg(bytes[at] == ' ', "a flip at byte %zu was not noticed", at);
            sae_trainer_free(trainer);
        }
    }
    free(bytes);
    run_free(&r);
}
END_TEST

START_TEST(previous_checkpoint_takes_over)
{
    const char *ckpt = in_folder("chain");
    run r = run_new(1);
    sae_trainer *trainer;
    sae_error err;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, NULL, &r.options, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_step(trainer, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_save(trainer, ckpt, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_step(trainer, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_save(trainer, ckpt, &err), SAE_OK);
    sae_trainer_free(trainer);
    ck_assert_int_eq(truncate(ckpt, 5000), 0);
    ck_assert_int_eq(sae_trainer_load(&trainer, ckpt, r.dump, NULL, &r.options, &err), SAE_OK);
    ck_assert_uint_eq(sae_trainer_metrics(trainer).step, 1);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

START_TEST(checkpoint_of_other_rows_is_refused)
{
    const char *ckpt = in_folder("other");
    run r = run_new(1);
    sae_trainer *trainer;
    sae_error err;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, NULL, &r.options, &err), SAE_OK);
    ck_assert_int_eq(sae_trainer_save(trainer, ckpt, &err), SAE_OK);
    sae_trainer_free(trainer);
    r.rows[0] += 1.0f;
    ck_assert_int_eq(sae_trainer_load(&trainer, ckpt, r.dump, NULL, &r.options, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(trainer);
    run_free(&r);
}
END_TEST

/* An epoch gives every training row once, whatever the window; a sought stream goes on where it was. */
START_TEST(batches_visit_each_row_once)
{
    for (uint64_t window = 100; window <= 4000; window += 650) {
        float *rows = calloc(ROWS, sizeof *rows), out[ROWS];
        for (size_t i = 0; i < ROWS; i++)
            rows[i] = (float)i;
        sae_context *context;
        sae_dump *dump;
        saei_batches *batches;
        ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
        ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, ROWS, 1, 1}, NULL), SAE_OK);
        ck_assert_int_eq(saei_batches_new(&batches, context, dump, 0.1, 500, window, 3, NULL), SAE_OK);
        size_t n = (size_t)saei_batches_rows(batches), held = (size_t)saei_batches_heldout_rows(batches);
        ck_assert_uint_eq(n + held, ROWS);
        ck_assert(held > 0 && held <= 500);
        for (int epoch = 0; epoch < 3; epoch++) {
            int seen[ROWS] = {0}, in_order = 0;
            ck_assert_int_eq(saei_batches_next(out, batches, n, NULL), SAE_OK);
            for (size_t i = 0; i < n; i++) {
                seen[(size_t)out[i]]++;
                in_order += i > 0 && out[i] > out[i - 1];
            }
            ck_assert_int_lt(in_order, (int)(n * 6 / 10));
            ck_assert_int_eq(saei_batches_read_heldout(out, batches, 0, held, NULL), SAE_OK);
            for (size_t i = 0; i < held; i++)
                seen[(size_t)out[i]]++;
            for (size_t i = 0; i < ROWS; i++)
                ck_assert_int_eq(seen[i], 1);
        }
        saei_batches_state place = saei_batches_tell(batches);
        float again[ROWS];
        ck_assert_int_eq(saei_batches_next(out, batches, 1000, NULL), SAE_OK);
        ck_assert_int_eq(saei_batches_seek(batches, place, NULL), SAE_OK);
        ck_assert_int_eq(saei_batches_next(again, batches, 1000, NULL), SAE_OK);
        ck_assert_int_eq(memcmp(out, again, 1000 * sizeof *out), 0);
        saei_batches_free(batches);
        sae_dump_free(dump);
        ck_assert_uint_eq(sae_context_memory_used(context), 0);
        sae_context_free(context);
        free(rows);
    }
}
END_TEST

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    Suite *suite = suite_create("trainer");
    TCase *tests = tcase_create("trainer");
    tcase_add_test(tests, training_learns_planted_directions);
    tcase_add_test(tests, model_is_in_raw_units);
    tcase_add_test(tests, threads_do_not_change_a_bit);
    tcase_add_test(tests, threads_do_not_change_a_bit_in_little_memory);
    tcase_add_test(tests, resumed_run_ends_in_the_same_bits);
    tcase_add_test(tests, damaged_checkpoint_is_refused);
    tcase_add_test(tests, previous_checkpoint_takes_over);
    tcase_add_test(tests, checkpoint_of_other_rows_is_refused);
    tcase_add_test(tests, batches_visit_each_row_once);
    suite_add_tcase(suite, tests);
    int status = run_suite(suite);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? status : EXIT_FAILURE;
}
