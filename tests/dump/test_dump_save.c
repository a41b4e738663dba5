/* A dump that is written in another format and back holds the same bits. */
#include "../tools/run_suite.h"
#include "base/rng.h"
#include "io/npy_write.h"
#include "sae.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { D = 5, ROWS = 1000, ITEMS = D * ROWS, ITEM_MAX = 8, PATH_BYTES = 64 };

static const saei_dtype dtypes[] = {SAEI_F16, SAEI_BF16, SAEI_F32, SAEI_F64};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

static const char *const formats[] = {"between.h5", "between.npz", "between.safetensors", "between.pt"};
enum { FORMATS = sizeof formats / sizeof formats[0] };

typedef unsigned char file_bytes[SAEI_NPY_HEADER_BYTES + ITEMS * ITEM_MAX];

/* Random bits, but for the exponents of NaN and Inf: the highest exponent bit is cleared. Subnormals stay. */
static size_t fill(file_bytes out, saei_dtype dtype)
{
    size_t item = saei_dtype_size(dtype);
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_INIT, (uint64_t)dtype);
    saei_npy_header(out, dtype, ROWS, D);
    for (size_t i = 0; i < ITEMS; i++) {
        unsigned char *at = out + SAEI_NPY_HEADER_BYTES + i * item;
        uint64_t bits = saei_rng_next(&rng);
        memcpy(at, &bits, item);
        at[item - 1] &= 0xBF;
    }
    return SAEI_NPY_HEADER_BYTES + ITEMS * item;
}

static void save_as(sae_context *context, const char *from, const char *to)
{
    sae_dump *dump;
    sae_error err;
    ck_assert_msg(sae_dump_open(&dump, context, &from, 1, NULL, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(sae_dump_rows(dump), ROWS);
    ck_assert_msg(sae_dump_save(dump, to, false, NULL, NULL, &err) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(sae_dump_save(dump, to, false, NULL, NULL, NULL), SAE_E_EXISTS);
    ck_assert_int_eq(sae_dump_save(dump, "/tmp/libsae.txt", false, NULL, NULL, NULL), SAE_E_ARGUMENT);
    sae_dump_free(dump);
}

START_TEST(bits_survive_the_round_trip)
{
    static file_bytes given, got;
    char folder[] = "/tmp/libsae-save-XXXXXX", path[3][PATH_BYTES];
    const char *const names[] = {"given.npy", formats[_i % FORMATS], "got.npy"};
    size_t bytes = fill(given, dtypes[_i / FORMATS]);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < 3; i++)
        snprintf(path[i], PATH_BYTES, "%s/%s", folder, names[i]);
    FILE *file = fopen(path[0], "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(given, 1, bytes, file), bytes);
    fclose(file);
    sae_context *context;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    save_as(context, path[0], path[1]);
    save_as(context, path[1], path[2]);
    file = fopen(path[2], "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(got, 1, sizeof got, file), bytes);
    fclose(file);
    ck_assert_mem_eq(got, given, bytes);
    sae_context_free(context);
    for (size_t i = 0; i < 3; i++)
        unlink(path[i]);
    rmdir(folder);
}
END_TEST

/* Integers and reals, the selected rows alone, from one format into the next and back. */
START_TEST(columns_go_along)
{
    static float rows[ITEMS];
    static double token[ROWS], score[ROWS], got[ROWS];
    char folder[] = "/tmp/libsae-save-XXXXXX", path[2][PATH_BYTES];
    sae_context *context;
    sae_dump *dump, *from;
    sae_dump_options options;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path[0], PATH_BYTES, "%s/%s", folder, formats[_i]);
    snprintf(path[1], PATH_BYTES, "%s/back.h5", folder);
    for (size_t i = 0; i < ROWS; i++) {
        token[i] = (double)(i * 7919 % 50000);
        score[i] = (double)i / 3 - 5;
    }
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, ROWS, D, D}, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "labels/token", token, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "score", score, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_save(dump, path[0], false, NULL, NULL, NULL), SAE_OK);
    sae_dump_free(dump);
    sae_dump_options_init(&options);
    options.where = "score>=0";
    const char *files[2] = {path[0], path[1]};
    ck_assert_int_eq(sae_dump_open(&from, context, &files[0], 1, &options, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_save(from, path[1], false, NULL, NULL, NULL), SAE_OK);
    sae_dump_free(from);
    ck_assert_int_eq(sae_dump_open(&dump, context, &files[1], 1, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(sae_dump_rows(dump), ROWS - 15);
    ck_assert_uint_eq(sae_dump_columns(dump), 2);
    ck_assert_int_eq(sae_dump_read_column(got, dump, "labels/token", NULL), SAE_OK);
    ck_assert_mem_eq(got, token + 15, (ROWS - 15) * sizeof *got);
    ck_assert_int_eq(sae_dump_read_column(got, dump, "score", NULL), SAE_OK);
    ck_assert_mem_eq(got, score + 15, (ROWS - 15) * sizeof *got);
    sae_dump_free(dump);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    unlink(path[0]);
    unlink(path[1]);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump_save");
    TCase *tests = tcase_create("dump_save");
    tcase_add_loop_test(tests, bits_survive_the_round_trip, 0, DTYPES * FORMATS);
    tcase_add_loop_test(tests, columns_go_along, 0, FORMATS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
