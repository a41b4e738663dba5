/* Two dumps as one: side by side, or their difference. */
#include "dump/dump.h"
#include "sae/train.h"
#include "dump_files.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>

enum { ROWS = 3000, D = 5 };

static float first[ROWS * D], second[ROWS * D];
static double token[ROWS], prompt[ROWS];

static void setup(void)
{
    temp_folder_make();
    context_make();
    for (size_t i = 0; i < ROWS; i++) {
        token[i] = (double)(i * 7 % 11);
        prompt[i] = (double)(i / 30);
        for (size_t k = 0; k < D; k++) {
            first[i * D + k] = (float)((i * 13 + k * 5) % 17) - 8;
            second[i * D + k] = (float)((i * 3 + k * 11) % 23) / 4;
        }
    }
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

static sae_dump *in_memory(const float *rows, size_t n, size_t d)
{
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, n, d, d}, &err), SAE_OK);
    return dump;
}

/* Packed in chunks of its own size, in one shard or two. */
static sae_dump *in_files(const char *name, const float *rows, hsize_t chunk, size_t cut, const char *where)
{
    char names[2][32];
    const char *paths[2];
    size_t n = 0;
    static char kept[4][256];
    static size_t turn;
    for (size_t start = 0; start < ROWS; start += cut, n++) {
        hsize_t count = ROWS - start < cut ? ROWS - start : cut;
        snprintf(names[n], sizeof names[n], "%s%zu.h5", name, n);
        hid_t file = h5_create(names[n]);
        h5_put(file, "acts", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){count, D}, chunk,
               rows + start * D);
        h5_put(file, "token_ids", H5T_STD_U16LE, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){count}, 0, token + start);
        h5_put(file, "prompt_id", H5T_STD_U32LE, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){count}, 0, prompt + start);
        H5Fclose(file);
        turn = (turn + 1) % 4;
        snprintf(kept[turn], sizeof kept[turn], "%s", temp_path(names[n]));
        paths[n] = kept[turn];
    }
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    sae_dump *dump;
    sae_status status = sae_dump_open(&dump, context, paths, n, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump;
}

static sae_dump *pair_of(const sae_dump *before, const sae_dump *after, double scale_before,
                         double scale_after)
{
    sae_pair_options options;
    sae_pair_options_init(&options);
    options.before_scale = scale_before;
    options.after_scale = scale_after;
    sae_dump *pair;
    sae_status status = sae_dump_pair(&pair, before, after, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return pair;
}

/* Row `row` of the inputs as row i of the pair with scales 0.5 and 2. */
static void check_pair_row(const float *got, size_t row)
{
    for (size_t k = 0; k < D; k++)
        ck_assert(got[k] == first[row * D + k] / 2 && got[D + k] == 2 * second[row * D + k]);
}

START_TEST(rows_lie_side_by_side)
{
    sae_dump *before = in_files("b", first, 700, 2000, NULL), *after = in_files("a", second, 64, ROWS, NULL);
    sae_dump *pair = pair_of(before, after, 0.5, 2);
    ck_assert_uint_eq(sae_dump_dim(pair), 2 * D);
    ck_assert_uint_eq(sae_dump_rows(pair), ROWS);
    ck_assert_ptr_null(saei_dump_in_place(pair));
    static float rows[ROWS * 2 * D];
    const struct {
        uint64_t first;
        size_t count;
    } reads[] = {{0, ROWS}, {1, 1}, {699, 2}, {1990, 1000}, {ROWS - 1, 1}, {ROWS, 0}};
    for (size_t r = 0; r < sizeof reads / sizeof reads[0]; r++) {
        ck_assert_int_eq(sae_dump_read(rows, pair, reads[r].first, reads[r].count, &err), SAE_OK);
        for (size_t i = 0; i < reads[r].count; i++)
            check_pair_row(rows + i * 2 * D, (size_t)reads[r].first + i);
    }
    ck_assert_int_eq(sae_dump_read(rows, pair, ROWS, 1, &err), SAE_E_ARGUMENT);
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

START_TEST(selections_and_columns_go_along)
{
    const char *where = "token_ids=3 or token_ids=9";
    sae_dump *before = in_files("b", first, 700, 2000, where), *after = in_files("a", second, 0, ROWS, where);
    sae_dump *pair = pair_of(before, after, 0.5, 2);
    size_t n = (size_t)sae_dump_rows(pair);
    ck_assert_uint_eq(n, sae_dump_rows(before));
    float *rows = malloc(n * 2 * D * sizeof *rows);
    double *tokens = malloc(n * sizeof *tokens), *prompts = malloc(n * sizeof *prompts);
    bool *nine = malloc(n);
    ck_assert_int_eq(sae_dump_read(rows, pair, 0, n, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read_column(tokens, pair, "token_ids", &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read_column(prompts, pair, "prompt_id", &err), SAE_OK);
    ck_assert_int_eq(sae_dump_match(nine, pair, "token_ids=9", &err), SAE_OK);
    for (size_t i = 0, row = 0; i < n; i++, row++) {
        while (token[row] != 3 && token[row] != 9)
            row++;
        check_pair_row(rows + i * 2 * D, row);
        ck_assert(tokens[i] == token[row] && prompts[i] == prompt[row] && nine[i] == (token[row] == 9));
    }
    ck_assert_int_eq(sae_dump_add_column(pair, "more", tokens, &err), SAE_E_ARGUMENT);
    free(rows);
    free(tokens);
    free(prompts);
    free(nine);
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

START_TEST(scales_are_one_over_the_mean_norm)
{
    sae_dump *before = in_memory(first, ROWS, D), *after = in_memory(second, ROWS, D);
    sae_dump *pair = pair_of(before, after, 0, 0);
    saei_joined made = saei_dump_joined(pair);
    double norm[2] = {0, 0};
    static float rows[ROWS * 2 * D];
    ck_assert_int_eq(sae_dump_read(rows, pair, 0, ROWS, &err), SAE_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t side = 0; side < 2; side++) {
            double sum = 0;
            for (size_t k = 0; k < D; k++)
                sum += pow((double)rows[(2 * i + side) * D + k], 2);
            norm[side] += sqrt(sum) / ROWS;
        }
    ck_assert_str_eq(made.name, "pair");
    ck_assert(fabs(norm[0] - 1) <= 1e-6 && fabs(norm[1] - 1) <= 1e-6);
    ck_assert(made.before_scale != made.after_scale);
    ck_assert_ptr_null(saei_dump_joined(before).name);
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

START_TEST(difference_is_exact)
{
    float a[4] = {16777216, 1, -3, 0.1f}, b[4] = {16777215, 1e-8f, 5, 0.1f};
    sae_dump *before = in_memory(b, 2, 2), *after = in_memory(a, 2, 2), *difference;
    ck_assert_int_eq(sae_dump_difference(&difference, before, after, &err), SAE_OK);
    float rows[4];
    ck_assert_int_eq(sae_dump_read(rows, difference, 0, 2, &err), SAE_OK);
    ck_assert(rows[0] == 1 && rows[1] == 1 && rows[2] == -8 && rows[3] == 0);
    ck_assert_uint_eq(sae_dump_dim(difference), 2);
    ck_assert_str_eq(saei_dump_joined(difference).name, "difference");
    sae_dump_free(difference);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

static void refused(const sae_dump *before, const sae_dump *after, const char *text, const char *more)
{
    sae_dump *joined;
    ck_assert_int_eq(sae_dump_pair(&joined, before, after, NULL, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(joined);
    ck_assert_msg(strstr(err.text, text) != NULL && strstr(err.text, more) != NULL, "%s", err.text);
    ck_assert_int_eq(sae_dump_difference(&joined, before, after, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(joined);
}

START_TEST(rows_that_do_not_pair_are_refused)
{
    sae_dump *before = in_memory(first, ROWS, D), *shorter = in_memory(first, ROWS - 1, D);
    sae_dump *wider = in_memory(first, 100, D + 1), *after = in_memory(second, ROWS, D);
    refused(before, shorter, "2999 rows", "3000");
    refused(before, wider, "width 6", "5");
    ck_assert_int_eq(sae_dump_add_column(before, "token_ids", token, &err), SAE_OK);
    double other[ROWS];
    memcpy(other, token, sizeof other);
    other[2500] += 1;
    ck_assert_int_eq(sae_dump_add_column(after, "token_ids", other, &err), SAE_OK);
    refused(before, after, "row 2500", "token_ids");
    sae_pair_options options;
    sae_pair_options_init(&options);
    options.after_scale = -1;
    sae_dump *joined;
    ck_assert_int_eq(sae_dump_pair(&joined, before, before, &options, &err), SAE_E_ARGUMENT);
    sae_dump_free(wider);
    sae_dump_free(shorter);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

START_TEST(nonfinite_rows_are_found)
{
    second[1234 * D + 2] = NAN;
    sae_dump *before = in_memory(first, ROWS, D), *after = in_memory(second, ROWS, D);
    sae_dump *pair = pair_of(before, after, 1, 1);
    static float rows[ROWS * 2 * D];
    ck_assert_int_eq(sae_dump_read(rows, pair, 0, 1000, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read(rows, pair, 0, ROWS, &err), SAE_E_NONFINITE);
    ck_assert_ptr_nonnull(strstr(err.text, "row 1234"));
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

/* The same weights from a pair and from the same rows in memory; the model tells how it was made. */
START_TEST(a_pair_trains_as_its_rows_do)
{
    sae_dump *before = in_memory(first, ROWS, D), *after = in_memory(second, ROWS, D);
    sae_dump *pair = pair_of(before, after, 0, 0);
    static float rows[ROWS * 2 * D];
    ck_assert_int_eq(sae_dump_read(rows, pair, 0, ROWS, &err), SAE_OK);
    sae_dump *plain = in_memory(rows, ROWS, 2 * D);
    sae_train_options options;
    sae_train_options_init(&options);
    options.architecture = SAE_ARCH_BATCHTOPK;
    options.n_latents = 16;
    options.k = 2;
    options.steps = 20;
    options.batch_rows = 128;
    sae_model *models[2];
    const sae_dump *const dumps[2] = {pair, plain};
    for (size_t i = 0; i < 2; i++) {
        sae_trainer *trainer;
        sae_status status = sae_trainer_new(&trainer, dumps[i], NULL, &options, &err);
        ck_assert_msg(status == SAE_OK, "%s", err.text);
        ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_OK);
        ck_assert_int_eq(sae_trainer_model(&models[i], trainer, &err), SAE_OK);
        sae_trainer_free(trainer);
    }
    sae_params a = sae_model_params(models[0]), b = sae_model_params(models[1]);
    ck_assert_str_eq(sae_model_metadata(models[0], "combination"), "pair");
    ck_assert(atof(sae_model_metadata(models[0], "after_scale")) > 0);
    ck_assert_ptr_null(sae_model_metadata(models[1], "combination"));
    ck_assert_mem_eq(a.W_dec, b.W_dec, 16 * 2 * D * sizeof(float));
    ck_assert_mem_eq(a.W_enc, b.W_enc, 16 * 2 * D * sizeof(float));
    sae_model_free(models[0]);
    sae_model_free(models[1]);
    sae_dump_free(plain);
    sae_dump_free(pair);
    sae_dump_free(after);
    sae_dump_free(before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("combine");
    TCase *tests = tcase_create("combine");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rows_lie_side_by_side);
    tcase_add_test(tests, selections_and_columns_go_along);
    tcase_add_test(tests, scales_are_one_over_the_mean_norm);
    tcase_add_test(tests, difference_is_exact);
    tcase_add_test(tests, rows_that_do_not_pair_are_refused);
    tcase_add_test(tests, nonfinite_rows_are_found);
    tcase_add_test(tests, a_pair_trains_as_its_rows_do);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
