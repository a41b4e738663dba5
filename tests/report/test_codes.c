/* Files of sparse codes against codes encoded in memory. */
#include "base/rng.h"
#include "io/reader.h"
#include "sae/report.h"
#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

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

static const char *const formats[] = {"codes.h5", "codes.npz", "codes.safetensors", "codes.pt", "codes"};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static sae_status save(const char *name, bool overwrite)
{
    return sae_codes_save(model, dump, temp_path(name), overwrite, NULL, NULL, &err);
}

START_TEST(holds_what_the_model_encodes)
{
    const char *name = formats[_i];
    bool is_pt = strcmp(name, "codes.pt") == 0;
    const char *whole = is_pt ? "int64" : "uint64";
    ck_assert_msg(save(name, false) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(temp_folder_entries(), 1);
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, &err), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    sae_codes_view expected = sae_codes_get(codes);
    uint64_t n = expected.row_ptr[ROWS];
    ck_assert_uint_gt(n, ROWS / 2);
    ck_assert_uint_lt(n, ROWS * K);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path(name), &err), SAE_OK);
    double *shape = read_array(reader, "shape", whole, 2);
    ck_assert(shape[0] == ROWS && shape[1] == F);
    double *row_ptr = read_array(reader, "row_ptr", whole, ROWS + 1);
    for (size_t i = 0; i <= ROWS; i++)
        ck_assert(row_ptr[i] == (double)expected.row_ptr[i]);
    double *latent = read_array(reader, "latent", is_pt ? "int32" : "uint32", n),
           *value = read_array(reader, "value", "float32", n);
    for (size_t i = 0; i < n; i++)
        ck_assert(latent[i] == expected.latent[i] && value[i] == (double)expected.value[i]);
    double *tokens = read_array(reader, "labels/token", whole, ROWS);
    double *scores = read_array(reader, "columns/latent", "float64", ROWS);
    for (size_t i = 0; i < ROWS; i++)
        ck_assert(tokens[i] == token[i] && scores[i] == score[i]);
    ck_assert_int_eq(saei_reader_check_rest(reader, &err), SAE_OK);
    free(shape);
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
    ck_assert_int_eq(save(formats[_i], false), SAE_OK);
    sae_file *file;
    ck_assert_int_eq(sae_file_open(&file, context, temp_path(formats[_i]), &err), SAE_OK);
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

/* What decoding needs of a row is beside its codes. */
START_TEST(holds_what_undoes_the_norm_of_rows)
{
    sae_params params = sae_model_params(model);
    sae_model *normed;
    params.row_norm = SAE_LAYER_NORM;
    ck_assert_int_eq(sae_model_new(&normed, context, &params, &err), SAE_OK);
    ck_assert_int_eq(sae_codes_save(normed, dump, temp_path("n.h5"), false, NULL, NULL, &err), SAE_OK);
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, &err), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, normed, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
    sae_codes_view expected = sae_codes_get(codes);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("n.h5"), &err), SAE_OK);
    double *shift = read_array(reader, "row_shift", "float32", ROWS),
           *scale = read_array(reader, "row_scale", "float32", ROWS);
    size_t same = 0;
    for (size_t i = 0; i < ROWS; i++)
        same += shift[i] == (double)expected.row_shift[i] && scale[i] == (double)expected.row_scale[i];
    ck_assert_uint_eq(same, ROWS);
    ck_assert(scale[0] == 0 && scale[1] > 0);
    free(shift);
    free(scale);
    saei_reader_free(reader);
    sae_codes_free(codes);
    sae_model_free(normed);
    sae_file *file;
    ck_assert_int_eq(sae_file_open(&file, context, temp_path("n.h5"), &err), SAE_OK);
    bool said = false;
    for (size_t i = 0; i < sae_file_attributes(file); i++)
        said = said || (strcmp(sae_file_attribute_name(file, i), "row_norm") == 0 &&
                        strcmp(sae_file_attribute_value(file, i), "layer_norm") == 0);
    ck_assert(said);
    sae_file_free(file);
}
END_TEST

START_TEST(keeps_a_file_unless_told)
{
    ck_assert_int_eq(save(formats[_i], false), SAE_OK);
    size_t before_bytes, after_bytes;
    char *before = temp_read(temp_path(formats[_i]), &before_bytes);
    ck_assert_int_eq(save(formats[_i], false), SAE_E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, formats[_i]));
    ck_assert_int_eq(save(formats[_i], true), SAE_OK);
    char *after = temp_read(temp_path(formats[_i]), &after_bytes);
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
    const char *name = formats[_i];
    ck_assert_int_eq(sae_codes_save(model, dump, temp_path(name), false, stop_in_the_middle, &calls, &err),
                     SAE_STOPPED);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(temp_folder_entries(), 0);
    data[4000 * D] = NAN;
    ck_assert_int_eq(save(name, false), SAE_E_NONFINITE);
    ck_assert_int_eq(temp_folder_entries(), 0);
    ck_assert_int_ne(save("no_such_folder/c.h5", false), SAE_OK);
}
END_TEST

START_TEST(a_npy_holds_one_array)
{
    ck_assert_int_eq(save("codes.npy", false), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "codes.npy"));
    ck_assert_int_eq(temp_folder_entries(), 0);
}
END_TEST

/* The same bytes with any number of threads and little memory: the rows would not fit into it. */
START_TEST(threads_and_memory_change_nothing)
{
    size_t wanted_bytes, bytes;
    ck_assert_int_eq(save(formats[_i], true), SAE_OK);
    char *wanted = temp_read(temp_path(formats[_i]), &wanted_bytes);
    for (unsigned threads = 1; threads <= 3; threads++) {
        sae_context_options options;
        sae_context_options_init(&options);
        options.threads = threads;
        options.memory_limit = threads == 2 ? 8 << 20 : 0;
        sae_context *other;
        sae_model *same_model;
        sae_dump *same;
        const sae_params params = sae_model_params(model);
        ck_assert_int_eq(sae_context_new(&other, &options, &err), SAE_OK);
        ck_assert_int_eq(sae_model_new(&same_model, other, &params, &err), SAE_OK);
        ck_assert_int_eq(sae_dump_from_rows(&same, other, (sae_view){data, ROWS, D, D}, &err), SAE_OK);
        ck_assert_int_eq(sae_dump_add_column(same, "labels/token", token, &err), SAE_OK);
        ck_assert_int_eq(sae_dump_add_column(same, "latent", score, &err), SAE_OK);
        sae_status status = sae_codes_save(same_model, same, temp_path(formats[_i]), true, NULL, NULL, &err);
        ck_assert_msg(status == SAE_OK, "%s", err.text);
        char *got = temp_read(temp_path(formats[_i]), &bytes);
        ck_assert_uint_eq(bytes, wanted_bytes);
        ck_assert_mem_eq(got, wanted, bytes);
        free(got);
        sae_dump_free(same);
        sae_model_free(same_model);
        ck_assert_uint_eq(sae_context_memory_used(other), 0);
        sae_context_free(other);
    }
    free(wanted);
}
END_TEST

/* A limit on the size of files fails a write as a full disk does: of the output, and of what waits beside it.
 */
START_TEST(a_full_disk_leaves_nothing)
{
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 60000; bytes += 7001) {
        struct rlimit limit = {bytes, RLIM_INFINITY};
        /* No assertion while the limit is on: Check writes a file too. */
        setrlimit(RLIMIT_FSIZE, &limit);
        sae_status status = save(formats[_i], false);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(status, SAE_E_IO);
        ck_assert_ptr_nonnull(strstr(err.text, formats[_i]));
        ck_assert_int_eq(temp_folder_entries(), 0);
    }
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
    tcase_add_loop_test(tests, holds_what_the_model_encodes, 0, FORMATS);
    tcase_add_loop_test(tests, says_what_it_is, 0, FORMATS);
    tcase_add_test(tests, holds_what_undoes_the_norm_of_rows);
    tcase_add_loop_test(tests, keeps_a_file_unless_told, 0, FORMATS);
    tcase_add_loop_test(tests, leaves_nothing_behind_when_it_fails, 0, FORMATS);
    tcase_add_test(tests, a_npy_holds_one_array);
    tcase_add_loop_test(tests, threads_and_memory_change_nothing, 0, FORMATS);
    tcase_add_loop_test(tests, a_full_disk_leaves_nothing, 0, FORMATS);
    tcase_add_test(tests, widths_must_agree);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
