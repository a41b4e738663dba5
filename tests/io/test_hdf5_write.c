#include "io/hdf5_write.h"
#include "io/atomic_file.h"
#include "io/reader.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>

enum { ROWS = 100000, COLS = 3 };

static uint64_t numbers[ROWS];
static float values[ROWS * COLS];

static void setup(void)
{
    temp_folder_make();
    context_make();
    for (uint64_t i = 0; i < ROWS; i++)
        numbers[i] = i * i;
    for (uint32_t i = 0, state = 1; i < ROWS * COLS; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 1000;
    }
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

/* Writes the arrays in uneven blocks; stops at the first failure. */
static sae_status write_arrays(saei_hdf5_writer *writer)
{
    size_t number, value, empty;
    sae_status status = saei_hdf5_writer_add(&number, writer, "row_ptr", SAEI_U64, 0, &err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_add(&value, writer, "labels/deep/value", SAEI_F32, COLS, &err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_add(&empty, writer, "labels/empty", SAEI_U32, 0, &err);
    if (status == SAE_OK)
        status = saei_hdf5_writer_attribute(writer, "role", "codes é", &err);
    for (uint64_t at = 0, n = 1; status == SAE_OK && at < ROWS; at += n, n = (n * 7 + 1) % 50000) {
        if (n > ROWS - at)
            n = ROWS - at;
        status = saei_hdf5_writer_append(writer, number, numbers + at, n, &err);
        if (status == SAE_OK)
            status = saei_hdf5_writer_append(writer, value, values + at * COLS, n, &err);
    }
    return status;
}

static sae_status write_file(const char *path)
{
    saei_hdf5_writer *writer;
    sae_status status = saei_hdf5_writer_open(&writer, context, path, path, &err);
    if (status != SAE_OK)
        return status;
    sae_status written = write_arrays(writer);
    status = saei_hdf5_writer_finish(&writer, &err);
    return (written == SAE_OK || status != SAE_OK) && writer == NULL ? status : SAE_E_MISMATCH;
}

START_TEST(round_trip)
{
    ck_assert_msg(write_file(temp_path("a")) == SAE_OK, "%s", err.text);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a"), &err), SAE_OK);
    ck_assert_uint_eq(saei_reader_count(reader), 3);
    ck_assert_str_eq(saei_reader_attribute_value(reader, 0), "codes é");
    const saei_array_info *array = saei_reader_find(reader, "row_ptr");
    static uint64_t got_numbers[ROWS];
    ck_assert_int_eq(array->dtype, SAEI_U64);
    ck_assert_int_eq(saei_reader_read_stored(got_numbers, reader, array, 0, ROWS, &err), SAE_OK);
    ck_assert(memcmp(got_numbers, numbers, sizeof numbers) == 0);
    array = saei_reader_find(reader, "labels/deep/value");
    static float got_values[ROWS * COLS];
    ck_assert_int_eq(saei_reader_read_f32(got_values, reader, array, 0, ROWS, &err), SAE_OK);
    ck_assert(memcmp(got_values, values, sizeof values) == 0);
    ck_assert_uint_eq(saei_reader_find(reader, "labels/empty")->shape[0], 0);
    saei_reader_free(reader);
}
END_TEST

START_TEST(same_calls_same_bytes)
{
    ck_assert_int_eq(write_file(temp_path("a")), SAE_OK);
    sleep(1); /* HDF5 could store the second of creation */
    ck_assert_int_eq(write_file(temp_path("b")), SAE_OK);
    size_t n, m;
    char *a = temp_read(temp_path("a"), &n), *b = temp_read(temp_path("b"), &m);
    ck_assert_uint_eq(n, m);
    ck_assert(memcmp(a, b, n) == 0);
    free(a);
    free(b);
}
END_TEST

START_TEST(misuse)
{
    saei_hdf5_writer *writer;
    size_t number;
    ck_assert_int_eq(saei_hdf5_writer_open(&writer, context, temp_path("absent/a"), "a", &err),
                     SAE_E_NOT_FOUND);
    ck_assert_ptr_null(writer);
    ck_assert_int_eq(saei_hdf5_writer_open(&writer, context, temp_path("a"), "a", &err), SAE_OK);
    ck_assert_int_eq(saei_hdf5_writer_add(&number, writer, "x", SAEI_BOOL, 0, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_hdf5_writer_add(&number, writer, "x", SAEI_U32, 0, &err), SAE_OK);
    ck_assert_int_eq(saei_hdf5_writer_append(writer, number, numbers, UINT64_MAX / 2, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_hdf5_writer_add(&number, writer, "x", SAEI_U32, 0, &err), SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "already exists"));
    ck_assert_int_eq(saei_hdf5_writer_finish(&writer, &err), SAE_E_IO);
}
END_TEST

/* Whatever the size at which the disk is full, the writer says so, and no file is left. */
START_TEST(disk_full)
{
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(write_file(temp_path("a")), SAE_OK);
    size_t whole;
    free(temp_read(temp_path("a"), &whole));
    for (rlim_t bytes = 0; bytes < whole; bytes += 1 + whole / 40) {
        struct rlimit limit = {bytes, RLIM_INFINITY};
        saei_atomic_file *file;
        ck_assert_int_eq(saei_atomic_file_open(&file, context, temp_path("b"), SAEI_KEEP_EXISTING, &err),
                         SAE_OK);
        /* No assertion while the limit is on: Check writes a file too. */
        setrlimit(RLIMIT_FSIZE, &limit);
        sae_status status = write_file(saei_atomic_file_temporary(file));
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_msg(status == SAE_E_IO, "%d: %s", status, err.text);
        saei_atomic_file_discard(file);
        ck_assert_int_eq(temp_folder_entries(), 1);
    }
}
END_TEST

static herr_t handler_of_the_program(hid_t stack, void *user)
{
    (void)stack;
    ++*(int *)user;
    return 0;
}

/* A program that uses HDF5 itself finds its error handler and its plugins as they were. */
START_TEST(settings_of_the_program_survive)
{
    int calls = 0;
    H5E_auto2_t handler;
    void *user;
    unsigned plugins;
    ck_assert_int_ge(H5Eset_auto2(H5E_DEFAULT, handler_of_the_program, &calls), 0);
    ck_assert_int_ge(H5PLset_loading_state(H5PL_FILTER_PLUGIN), 0);
    saei_reader *reader;
    const char *damaged = SOURCE_ROOT "/tests/corpus/hdf5/bad_minus1.h5";
    ck_assert_int_eq(saei_reader_open(&reader, context, damaged, &err), SAE_E_FORMAT);
    ck_assert_int_eq(write_file(temp_path("a")), SAE_OK);
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a"), &err), SAE_OK);
    saei_reader_free(reader);
    ck_assert_int_ge(H5Eget_auto2(H5E_DEFAULT, &handler, &user), 0);
    ck_assert(handler == handler_of_the_program && user == &calls);
    ck_assert_int_ge(H5PLget_loading_state(&plugins), 0);
    ck_assert_int_eq((int)plugins, H5PL_FILTER_PLUGIN);
    ck_assert_int_eq(calls, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hdf5_write");
    TCase *tests = tcase_create("hdf5_write");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, same_calls_same_bytes);
    tcase_add_test(tests, misuse);
    tcase_add_test(tests, disk_full);
    tcase_add_test(tests, settings_of_the_program_survive);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
