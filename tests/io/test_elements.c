/* Elements that are read piece by piece are those that are converted at once, whatever the type, the place in
   the file and the threads; NaN and infinity are told wherever they are, and a file that was cut off since it
   was opened fails where it ends. */
#include "io/elements.h"
#include "base/context.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Several pieces, and a part of one. */
enum { N = 150001, BEFORE = 3, ITEM_MAX = 8 };

static const saei_dtype types[] = {SAEI_F16, SAEI_BF16, SAEI_F32,  SAEI_F64,     SAEI_I8,
                                   SAEI_U16, SAEI_I64,  SAEI_BOOL, SAEI_F8_E4M3, SAEI_F8_E5M2};
enum { TYPES = sizeof types / sizeof *types };

static unsigned char stored[BEFORE + N * ITEM_MAX];
static float want[N], got[N];
static saei_input_file file;
static saei_byte_run run;

/* Small numbers of every type: the upper byte of each is that of 1.something, the others are any. */
static void fill(saei_dtype dtype)
{
    const double one = 1.5;
    const float as_float = 1.5f;
    unsigned char unit[ITEM_MAX] = {0};
    size_t item = saei_dtype_size(dtype);
    if (dtype == SAEI_F64)
        memcpy(unit, &one, sizeof one);
    else if (dtype == SAEI_F16 || dtype == SAEI_BF16 || dtype == SAEI_F32)
        saei_dtype_from_f32(unit, dtype, &as_float, 1);
    for (size_t i = 0, state = 11; i < N * item; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bool upper = item > 1 && i % item == item - 1 && saei_dtype_is_float(dtype);
        stored[BEFORE + i] = upper ? unit[i % item] : (unsigned char)(state >> 58);
    }
}

static void write_and_open(size_t item)
{
    temp_write(temp_path("elements"), stored, BEFORE + N * item);
    ck_assert_int_eq(saei_input_file_open(&file, temp_path("elements"), &err), SAE_OK);
    run = saei_byte_run_of_file(&file, context);
}

static void setup(void)
{
    sae_context_options options;
    temp_folder_make();
    sae_context_options_init(&options);
    options.threads = 3;
    ck_assert_int_eq(sae_context_new(&context, &options, &err), SAE_OK);
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

static sae_status read_all(bool *finite, saei_dtype dtype, bool shared, saei_workers workers)
{
    const saei_elements elements = {.run = &run, .start = BEFORE, .dtype = dtype, .n = N};
    memset(got, 0xff, sizeof got);
    *finite = true;
    run.shared = shared;
    return saei_elements_read_f32(got, finite, &elements, workers, &err);
}

START_TEST(pieces_make_the_whole)
{
    const saei_dtype dtype = types[_i];
    fill(dtype);
    write_and_open(saei_dtype_size(dtype));
    ck_assert(saei_dtype_to_f32(want, dtype, stored + BEFORE, N));
    for (int how = 0; how < 3; how++) {
        bool finite;
        ck_assert_int_eq(read_all(&finite, dtype, how != 1, how == 2 ? SAEI_CALLER_ONLY : SAEI_POOL_WORKERS),
                         SAE_OK);
        ck_assert(finite);
        ck_assert_int_eq(memcmp(got, want, sizeof got), 0);
    }
    saei_input_file_close(&file);
}
END_TEST

START_TEST(one_bad_number_anywhere)
{
    const saei_dtype dtype = types[_i]; /* SAEI_F16 … SAEI_F64 */
    const float bad[] = {INFINITY, -INFINITY, NAN};
    const size_t places[] = {0, 7, 32768, 70002, N - 2, N - 1};
    size_t item = saei_dtype_size(dtype);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bool finite;
        fill(dtype);
        saei_dtype_from_f32(stored + BEFORE + places[i] * item, dtype, &bad[i % 3], 1);
        write_and_open(item);
        for (int how = 0; how < 2; how++) {
            ck_assert_int_eq(read_all(&finite, dtype, true, how == 1 ? SAEI_CALLER_ONLY : SAEI_POOL_WORKERS),
                             SAE_OK);
            ck_assert(!finite);
        }
        saei_input_file_close(&file);
    }
}
END_TEST

START_TEST(a_file_cut_off_since)
{
    const size_t kept = BEFORE + 2 * (N / 3);
    fill(SAEI_F16);
    write_and_open(2);
    ck_assert_int_eq(truncate(temp_path("elements"), (off_t)kept), 0);
    for (int how = 0; how < 2; how++) {
        bool finite;
        ck_assert_int_eq(read_all(&finite, SAEI_F16, true, how == 1 ? SAEI_CALLER_ONLY : SAEI_POOL_WORKERS),
                         SAE_E_FORMAT);
        ck_assert_int_eq(err.offset, (int64_t)kept);
    }
    saei_input_file_close(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("elements");
    TCase *tests = tcase_create("elements");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, pieces_make_the_whole, 0, TYPES);
    tcase_add_loop_test(tests, one_bad_number_anywhere, 0, 4);
    tcase_add_test(tests, a_file_cut_off_since);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
