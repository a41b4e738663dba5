/* Files of sparse codes against codes encoded in memory. */
#include "base/rng.h"
#include "io/reader.h"
#include "sae/report.h"
#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>

enum { ROWS = 5000, D = 6, F = 16, K = 3 };

static sae_model *model;
static sae_dump *dump;
static float data[ROWS * D];
static double token[ROWS], score[ROWS];

static void setup(void)
{
    float W_enc[D * F], b_enc[F], W_dec[F * D], b_dec[D];
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < D * F; i++) {
        W_enc[i] = (float)saei_rng_normal(&rng);
        W_dec[i] = (float)saei_rng_normal(&rng);
    }
    for (size_t i = 0; i < F; i++)
        b_enc[i] = -1.5f; /* many rows fire fewer than K latents, some none */
    for (size_t i = 0; i < D; i++)
        b_dec[i] = 0.125f;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < D; j++)
            data[i * D + j] = (float)saei_rng_normal(&rng) * (float)(i % 3);
        token[i] = (double)(i % 806);
        score[i] = (double)i / 7 - 100;
    }
    const sae_params params = {
        .d = D, .n_latents = F, .k = K, .W_enc = W_enc, .b_enc = b_enc, .W_dec = W_dec, .b_dec = b_dec};
    temp_folder_make();
    context_make();
    ck_assert_int_eq(sae_model_new(&model, context, &params, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "labels/token", token, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "latent", score, &err), SAE_OK);
}

static void teardown(void)
{
    sae_dump_free(dump);
    sae_model_free(model);
    context_end();
    temp_folder_remove();
}

/* Reads a whole 1-D array as doubles, to be freed. */
static double *read_array(saei_reader *reader, const char *name, const char *dtype, uint64_t entries)
{
    const saei_array_info *array = saei_reader_find(reader, name);
    ck_assert_msg(array != NULL, "no array %s", name);
    ck_assert_str_eq(saei_dtype_name(array->dtype), dtype);
    ck_assert_uint_eq(array->rank, 1);
    ck_assert_uint_eq(array->shape[0], entries);
    double *out = malloc((size_t)entries * sizeof *out + 1);
    ck_assert_int_eq(saei_reader_read_f64(out, reader, array, 0, entries, &err), SAE_OK);
    return out;
}

static sae_status save(const char *name, bool overwrite)
{
    return sae_codes_save(model, dump, temp_path(name), overwrite, NULL, NULL, &err);
}

START_TEST(holds_what_the_model_encodes)
{
    ck_assert_msg(save("codes.h5", false) == SAE_OK, "%s", err.text);
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, &err), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    sae_codes_view expected = sae_codes_get(codes);
    uint64_t n = expected.row_ptr[ROWS];
    ck_assert_uint_gt(n, ROWS / 2);
    ck_assert_uint_lt(n, ROWS * K);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("codes.h5"), &err), SAE_OK);
    double *row_ptr = read_array(reader, "row_ptr", "uint64", ROWS + 1);
    for (size_t i = 0; i <= ROWS; i++)
        ck_assert(row_ptr[i] == (double)expected.row_ptr[i]);
    double *latent = read_array(reader, "latent", "uint32", n),
           *value = read_array(reader, "value", "float32", n);
    for (size_t i = 0; i < n; i++)
        ck_assert(latent[i] == expected.latent[i] && value[i] == (double)expected.value[i]);
    double *tokens = read_array(reader, "labels/token", "uint64", ROWS);
    double *scores = read_array(reader, "columns/latent", "float64", ROWS);
    for (size_t i = 0; i < ROWS; i++)
        ck_assert(tokens[i] == token[i] && scores[i] == score[i]);
    free(row_ptr);
    free(latent);
    free(value);
    free(tokens);
    free(scores);
    saei_reader_free(reader);
    sae_codes_free(codes);
}
END_TEST

START_TEST(says_what_it_is)
{
    ck_assert_int_eq(save("codes.h5", false), SAE_OK);
    sae_file *file;
    ck_assert_int_eq(sae_file_open(&file, context, temp_path("codes.h5"), &err), SAE_OK);
    ck_assert_str_eq(sae_file_role(file), "codes");
    const char *expected[][2] = {{"format", "libsae-codes"}, {"dump", "rows in memory"},
                                 {"rows", "5000"},           {"d", "6"},
                                 {"n_latents", "16"},        {"k", "3"},
                                 {"activation", "topk"}};
    enum { EXPECTED = sizeof expected / sizeof expected[0] };
    ck_assert_uint_eq(sae_file_attributes(file), EXPECTED);
    size_t found = 0;
    for (size_t e = 0; e < EXPECTED; e++)
        for (size_t i = 0; i < EXPECTED; i++)
            if (strcmp(sae_file_attribute_name(file, i), expected[e][0]) == 0) {
                ck_assert_str_eq(sae_file_attribute_value(file, i), expected[e][1]);
                found++;
            }
    ck_assert_uint_eq(found, EXPECTED);
    sae_file_free(file);
}
END_TEST

START_TEST(keeps_a_file_unless_told)
{
    ck_assert_int_eq(save("codes.h5", false), SAE_OK);
    size_t before_bytes, after_bytes;
    char *before = temp_read(temp_path("codes.h5"), &before_bytes);
    ck_assert_int_eq(save("codes.h5", false), SAE_E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "codes.h5"));
    ck_assert_int_eq(save("codes.h5", true), SAE_OK);
    char *after = temp_read(temp_path("codes.h5"), &after_bytes);
    ck_assert_uint_eq(before_bytes, after_bytes);
    ck_assert_mem_eq(before, after, after_bytes);
    free(before);
    free(after);
    ck_assert_int_eq(temp_folder_entries(), 1);
}
END_TEST

static int stop_in_the_middle(void *user, const char *stage, uint64_t done, uint64_t total)
{
    ck_assert_str_eq(stage, "encoding rows in memory");
    ck_assert_uint_eq(total, ROWS);
    ++*(int *)user;
    return done > 0;
}

START_TEST(leaves_nothing_behind_when_it_fails)
{
    int calls = 0;
    ck_assert_int_eq(sae_codes_save(model, dump, temp_path("c.h5"), false, stop_in_the_middle, &calls, &err),
                     SAE_STOPPED);
    ck_assert_int_eq(calls, 2);
    data[4000 * D] = NAN;
    ck_assert_int_eq(save("c.h5", false), SAE_E_NONFINITE);
    ck_assert_int_eq(temp_folder_entries(), 0);
    ck_assert_int_ne(save("no_such_folder/c.h5", false), SAE_OK);
}
END_TEST

START_TEST(widths_must_agree)
{
    sae_dump *narrow;
    ck_assert_int_eq(sae_dump_from_rows(&narrow, context, (sae_view){data, 10, D - 1, D}, &err), SAE_OK);
    ck_assert_int_eq(sae_codes_save(model, narrow, temp_path("c.h5"), false, NULL, NULL, &err),
                     SAE_E_MISMATCH);
    ck_assert_str_eq(err.text, "rows in memory: rows of width 5, but the model takes 6");
    sae_dump_free(narrow);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codes");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, holds_what_the_model_encodes);
    tcase_add_test(tests, says_what_it_is);
    tcase_add_test(tests, keeps_a_file_unless_told);
    tcase_add_test(tests, leaves_nothing_behind_when_it_fails);
    tcase_add_test(tests, widths_must_agree);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
