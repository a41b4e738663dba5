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
    static const char *const names[] = {"given.npy", "between.h5", "got.npy"};
    size_t bytes = fill(given, dtypes[_i]);
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

int main(void)
{
    Suite *suite = suite_create("dump_save");
    TCase *tests = tcase_create("dump_save");
    tcase_add_loop_test(tests, bits_survive_the_round_trip, 0, DTYPES);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
