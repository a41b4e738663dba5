/* One conformance suite over every format: the same matrix must come out of each file that make_fixtures.py
   and make_archive_fixtures.py wrote, whatever its type, byte order, layout and the way it is read. */
#include "base/context.h"
#include "io/reader.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <pthread.h>
#include <sys/stat.h>

#define FIXTURES SOURCE_ROOT "/tests/io/fixtures/"
enum { ROWS = 45, COLS = 7 };

static const struct {
    const char *file, *array, *format;
    saei_dtype dtype;
    bool three_d;
} cases[] = {
    {"f2.npy", "", "npy", SAEI_F16, false},
    {"be_f2.npy", "", "npy", SAEI_F16, false},
    {"f4.npy", "", "npy", SAEI_F32, false},
    {"be_f4.npy", "", "npy", SAEI_F32, false},
    {"f8.npy", "", "npy", SAEI_F64, false},
    {"be_f8.npy", "", "npy", SAEI_F64, false},
    {"i1.npy", "", "npy", SAEI_I8, false},
    {"i2.npy", "", "npy", SAEI_I16, false},
    {"be_i4.npy", "", "npy", SAEI_I32, false},
    {"i8.npy", "", "npy", SAEI_I64, false},
    {"u1.npy", "", "npy", SAEI_U8, false},
    {"be_u2.npy", "", "npy", SAEI_U16, false},
    {"u4.npy", "", "npy", SAEI_U32, false},
    {"u8.npy", "", "npy", SAEI_U64, false},
    {"b1.npy", "", "npy", SAEI_BOOL, false},
    {"fortran_f4.npy", "", "npy", SAEI_F32, false},
    {"fortran_be_f8.npy", "", "npy", SAEI_F64, false},
    {"three_d_f2.npy", "", "npy", SAEI_F16, true},
    {"fortran_3d.npy", "", "npy", SAEI_F32, true},
    {"matrix.safetensors", "F16", "safetensors", SAEI_F16, false},
    {"matrix.safetensors", "BF16", "safetensors", SAEI_BF16, false},
    {"matrix.safetensors", "F32", "safetensors", SAEI_F32, false},
    {"matrix.safetensors", "F64", "safetensors", SAEI_F64, false},
    {"matrix.safetensors", "I16", "safetensors", SAEI_I16, false},
    {"matrix.safetensors", "I64", "safetensors", SAEI_I64, false},
    {"matrix.safetensors", "U8", "safetensors", SAEI_U8, false},
    {"matrix.safetensors", "U32", "safetensors", SAEI_U32, false},
    {"matrix.safetensors", "BOOL", "safetensors", SAEI_BOOL, false},
    {"matrix.h5", "types/f2", "HDF5", SAEI_F16, false},
    {"matrix.h5", "types/be_f2", "HDF5", SAEI_F16, false},
    {"matrix.h5", "types/bf16", "HDF5", SAEI_BF16, false},
    {"matrix.h5", "types/f4", "HDF5", SAEI_F32, false},
    {"matrix.h5", "types/be_f4", "HDF5", SAEI_F32, false},
    {"matrix.h5", "types/f8", "HDF5", SAEI_F64, false},
    {"matrix.h5", "types/be_f8", "HDF5", SAEI_F64, false},
    {"matrix.h5", "types/i1", "HDF5", SAEI_I8, false},
    {"matrix.h5", "types/i2", "HDF5", SAEI_I16, false},
    {"matrix.h5", "types/be_i4", "HDF5", SAEI_I32, false},
    {"matrix.h5", "types/i8", "HDF5", SAEI_I64, false},
    {"matrix.h5", "types/u1", "HDF5", SAEI_U8, false},
    {"matrix.h5", "types/be_u2", "HDF5", SAEI_U16, false},
    {"matrix.h5", "types/u4", "HDF5", SAEI_U32, false},
    {"matrix.h5", "types/u8", "HDF5", SAEI_U64, false},
    {"matrix.h5", "types/bool", "HDF5", SAEI_BOOL, false},
    {"matrix.h5", "packed/f2", "HDF5", SAEI_F16, false},
    {"matrix.h5", "packed/f8", "HDF5", SAEI_F64, false},
    {"matrix.h5", "packed/i4", "HDF5", SAEI_I32, false},
    {"matrix.h5", "packed/chunked", "HDF5", SAEI_F32, false},
    {"matrix.h5", "again", "HDF5", SAEI_F16, true},
    {"matrix.npz", "f2", "npz", SAEI_F16, false},
    {"matrix.npz", "be_f4", "npz", SAEI_F32, false},
    {"matrix.npz", "f8", "npz", SAEI_F64, false},
    {"matrix.npz", "i2", "npz", SAEI_I16, false},
    {"matrix.npz", "u8", "npz", SAEI_U64, false},
    {"matrix.npz", "b1", "npz", SAEI_BOOL, false},
    {"matrix.npz", "fortran", "npz", SAEI_F32, false},
    {"matrix.npz", "three_d", "npz", SAEI_F16, true},
    {"matrix.npz", "fortran_three_d", "npz", SAEI_F64, true},
    {"matrix_packed.npz", "f2", "npz", SAEI_F16, false},
    {"matrix_packed.npz", "be_f4", "npz", SAEI_F32, false},
    {"matrix_packed.npz", "f8", "npz", SAEI_F64, false},
    {"matrix_packed.npz", "i2", "npz", SAEI_I16, false},
    {"matrix_packed.npz", "u8", "npz", SAEI_U64, false},
    {"matrix_packed.npz", "b1", "npz", SAEI_BOOL, false},
    {"matrix_packed.npz", "fortran", "npz", SAEI_F32, false},
    {"matrix_packed.npz", "three_d", "npz", SAEI_F16, true},
    {"matrix_packed.npz", "fortran_three_d", "npz", SAEI_F64, true},
    {"matrix_stream.npz", "f2", "npz", SAEI_F16, false},
    {"matrix_stream.npz", "be_f4", "npz", SAEI_F32, false},
    {"matrix_stream.npz", "f8", "npz", SAEI_F64, false},
    {"matrix_stream.npz", "i2", "npz", SAEI_I16, false},
    {"matrix_stream.npz", "u8", "npz", SAEI_U64, false},
    {"matrix_stream.npz", "b1", "npz", SAEI_BOOL, false},
    {"matrix_stream.npz", "fortran", "npz", SAEI_F32, false},
    {"matrix_stream.npz", "three_d", "npz", SAEI_F16, true},
    {"matrix_stream.npz", "fortran_three_d", "npz", SAEI_F64, true},
    {"matrix.pt", "f4", "PyTorch", SAEI_F32, false},
    {"matrix.pt", "f8", "PyTorch", SAEI_F64, false},
    {"matrix.pt", "f2", "PyTorch", SAEI_F16, false},
    {"matrix.pt", "bf16", "PyTorch", SAEI_BF16, false},
    {"matrix.pt", "parameter", "PyTorch", SAEI_F32, false},
    {"matrix.pt", "whole.i1", "PyTorch", SAEI_I8, false},
    {"matrix.pt", "whole.2", "PyTorch", SAEI_I16, false},
    {"matrix.pt", "whole.wide.0", "PyTorch", SAEI_I32, false},
    {"matrix.pt", "whole.wide.1", "PyTorch", SAEI_I64, false},
    {"matrix.pt", "whole.u1", "PyTorch", SAEI_U8, false},
    {"matrix.pt", "whole.bool", "PyTorch", SAEI_BOOL, false},
    {"matrix.pt", "transposed", "PyTorch", SAEI_F32, false},
    {"matrix.pt", "strided", "PyTorch", SAEI_F32, false},
    {"matrix.pt", "three_d", "PyTorch", SAEI_F32, true},
    {"matrix.pt", "turned", "PyTorch", SAEI_F32, true},
    {"matrix_packed.pt", "f4", "PyTorch", SAEI_F32, false},
    {"matrix_packed.pt", "f8", "PyTorch", SAEI_F64, false},
    {"matrix_packed.pt", "f2", "PyTorch", SAEI_F16, false},
    {"matrix_packed.pt", "bf16", "PyTorch", SAEI_BF16, false},
    {"matrix_packed.pt", "parameter", "PyTorch", SAEI_F32, false},
    {"matrix_packed.pt", "whole.i1", "PyTorch", SAEI_I8, false},
    {"matrix_packed.pt", "whole.2", "PyTorch", SAEI_I16, false},
    {"matrix_packed.pt", "whole.wide.0", "PyTorch", SAEI_I32, false},
    {"matrix_packed.pt", "whole.wide.1", "PyTorch", SAEI_I64, false},
    {"matrix_packed.pt", "whole.u1", "PyTorch", SAEI_U8, false},
    {"matrix_packed.pt", "whole.bool", "PyTorch", SAEI_BOOL, false},
    {"matrix_packed.pt", "transposed", "PyTorch", SAEI_F32, false},
    {"matrix_packed.pt", "strided", "PyTorch", SAEI_F32, false},
    {"matrix_packed.pt", "three_d", "PyTorch", SAEI_F32, true},
    {"matrix_packed.pt", "turned", "PyTorch", SAEI_F32, true},
    {"matrix_legacy.pt", "f4", "PyTorch", SAEI_F32, false},
    {"matrix_legacy.pt", "f8", "PyTorch", SAEI_F64, false},
    {"matrix_legacy.pt", "f2", "PyTorch", SAEI_F16, false},
    {"matrix_legacy.pt", "bf16", "PyTorch", SAEI_BF16, false},
    {"matrix_legacy.pt", "parameter", "PyTorch", SAEI_F32, false},
    {"matrix_legacy.pt", "whole.i1", "PyTorch", SAEI_I8, false},
    {"matrix_legacy.pt", "whole.2", "PyTorch", SAEI_I16, false},
    {"matrix_legacy.pt", "whole.wide.0", "PyTorch", SAEI_I32, false},
    {"matrix_legacy.pt", "whole.wide.1", "PyTorch", SAEI_I64, false},
    {"matrix_legacy.pt", "whole.u1", "PyTorch", SAEI_U8, false},
    {"matrix_legacy.pt", "whole.bool", "PyTorch", SAEI_BOOL, false},
    {"matrix_legacy.pt", "transposed", "PyTorch", SAEI_F32, false},
    {"matrix_legacy.pt", "strided", "PyTorch", SAEI_F32, false},
    {"matrix_legacy.pt", "three_d", "PyTorch", SAEI_F32, true},
    {"matrix_legacy.pt", "turned", "PyTorch", SAEI_F32, true},
    {"matrix_v3.pt", "u2", "PyTorch", SAEI_U16, false},
    {"matrix_v3.pt", "u4", "PyTorch", SAEI_U32, false},
};

enum { N_CASES = sizeof cases / sizeof *cases };

/* The formulas of make_fixtures.py. */
static double cell(saei_dtype dtype, size_t row, size_t col)
{
    double number = (double)((row * 7 + col * 3) % 17);
    if (dtype == SAEI_BOOL)
        return (double)((row * 7 + col * 3) % 2);
    if (dtype >= SAEI_U8 && dtype <= SAEI_U64)
        return number;
    return saei_dtype_is_float(dtype) ? (number - 8) / 4 : number - 8;
}

static void assert_rows(const float *floats, const double *doubles, saei_dtype dtype, size_t first,
                        size_t rows)
{
    size_t wrong = 0;
    for (size_t row = 0; row < rows; row++)
        for (size_t col = 0; col < COLS; col++) {
            double want = cell(dtype, first + row, col);
            wrong += !(doubles[row * COLS + col] == want) || !((double)floats[row * COLS + col] == want);
        }
    ck_assert_uint_eq(wrong, 0);
}

START_TEST(same_rows_from_every_format)
{
    char path[512];
    snprintf(path, sizeof path, FIXTURES "%s", cases[_i].file);
    saei_reader *reader;
    ck_assert_msg(saei_reader_open(&reader, context, path, &err) == SAE_OK, "%s", err.text);
    ck_assert_str_eq(saei_reader_format(reader), cases[_i].format);
    ck_assert_str_eq(saei_reader_path(reader), path);
    const saei_array_info *array = saei_reader_find(reader, cases[_i].array);
    ck_assert_ptr_nonnull(array);
    ck_assert_int_eq(array->dtype, cases[_i].dtype);
    size_t per_entry = cases[_i].three_d ? 5 : 1, entries = ROWS / per_entry;
    ck_assert_uint_eq(array->rank, cases[_i].three_d ? 3 : 2);
    ck_assert_uint_eq(array->shape[0], entries);
    ck_assert_uint_eq(array->shape[array->rank - 1], COLS);
    /* From the end to the start in blocks of each length, so that blocks cut through chunks. */
    for (size_t block = 1; block <= entries; block++)
        for (size_t end = entries; end > 0;) {
            size_t n = block < end ? block : end;
            float floats[ROWS * COLS];
            double doubles[ROWS * COLS];
            end -= n;
            ck_assert_msg(saei_reader_read_f32(floats, reader, array, end, n, &err) == SAE_OK, "%s",
                          err.text);
            ck_assert_int_eq(saei_reader_read_f64(doubles, reader, array, end, n, &err), SAE_OK);
            assert_rows(floats, doubles, array->dtype, end * per_entry, n * per_entry);
        }
    float none;
    ck_assert_int_eq(saei_reader_read_f32(&none, reader, array, entries, 0, &err), SAE_OK);
    ck_assert_int_eq(saei_reader_read_f32(&none, reader, array, entries, 1, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_reader_read_f32(&none, reader, array, UINT64_MAX, 2, &err), SAE_E_ARGUMENT);
    saei_reader_free(reader);
}
END_TEST

START_TEST(scalars_and_attributes)
{
    saei_reader *reader;
    const char *const files[] = {FIXTURES "matrix.h5", FIXTURES "scalar.npy"};
    const char *const names[] = {"scalar", ""};
    for (int i = 0; i < 2; i++) {
        double value = 0;
        ck_assert_int_eq(saei_reader_open(&reader, context, files[i], &err), SAE_OK);
        const saei_array_info *array = saei_reader_find(reader, names[i]);
        ck_assert_uint_eq(array->rank, 0);
        ck_assert_int_eq(saei_reader_read_f64(&value, reader, array, 0, 1, &err), SAE_OK);
        ck_assert(value == 2.5);
        saei_reader_free(reader);
    }
    static const char *const expected[][2] = {
        {"count", "45"}, {"fixed", "fixed text"}, {"half", "0.5"}, {"title", "one matrix, many types"}};
    ck_assert_int_eq(saei_reader_open(&reader, context, files[0], &err), SAE_OK);
    ck_assert_uint_eq(saei_reader_attributes(reader), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(saei_reader_attribute_name(reader, i), expected[i][0]);
        ck_assert_str_eq(saei_reader_attribute_value(reader, i), expected[i][1]);
    }
    /* Text, links out of the file, a second name of one dataset and the loop back to the root: all left out.
     */
    ck_assert_uint_eq(saei_reader_count(reader), 15 + 1 + 4 + 2);
    ck_assert_ptr_null(saei_reader_find(reader, "soft"));
    ck_assert_ptr_null(saei_reader_find(reader, "text"));
    ck_assert_ptr_null(saei_reader_find(reader, "null"));
    ck_assert_ptr_null(saei_reader_find(reader, "three_d"));
    saei_reader_free(reader);
}
END_TEST

/* Plain values beside the tensors of a .pt file, by their path. */
START_TEST(settings_of_torch)
{
    static const char *const files[] = {FIXTURES "matrix.pt", FIXTURES "matrix_legacy.pt"};
    static const char *const expected[][2] = {
        {"config.d", "7"}, {"config.rate", "0.5"}, {"config.name", "one matrix"}, {"config.tied", "true"}};
    for (int f = 0; f < 2; f++) {
        saei_reader *reader;
        ck_assert_int_eq(saei_reader_open(&reader, context, files[f], &err), SAE_OK);
        ck_assert_uint_eq(saei_reader_count(reader), 15);
        ck_assert_uint_eq(saei_reader_attributes(reader), 4);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_str_eq(saei_reader_attribute_name(reader, i), expected[i][0]);
            ck_assert_str_eq(saei_reader_attribute_value(reader, i), expected[i][1]);
        }
        saei_reader_free(reader);
    }
}
END_TEST

static void assert_refused(const char *path, sae_status wanted, const char *reason)
{
    saei_reader *reader;
    sae_status status = saei_reader_open(&reader, context, path, &err);
    ck_assert_msg(status == wanted, "%s: status %d: %s", path, status,
                  status != SAE_OK ? err.text : "opened");
    ck_assert_ptr_null(reader);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

START_TEST(refused)
{
    assert_refused(FIXTURES "lzf.h5", SAE_E_UNSUPPORTED, "lzf");
    assert_refused(FIXTURES "virtual.h5", SAE_E_UNSUPPORTED, "virtual");
    assert_refused(FIXTURES "external_links.h5", SAE_E_UNSUPPORTED, "links to other files");
    assert_refused(FIXTURES "deflate_twice.h5", SAE_E_UNSUPPORTED, "twice");
    assert_refused(FIXTURES "never_written.h5", SAE_E_FORMAT, "never written");
    assert_refused(FIXTURES "late.h5", SAE_E_FORMAT, "never written");
    assert_refused(FIXTURES "sparse.h5", SAE_E_FORMAT, "claims");
    assert_refused(FIXTURES "ten_axes.h5", SAE_E_UNSUPPORTED, "axes");
    assert_refused(FIXTURES "module.pt", SAE_E_UNSUPPORTED, "torch.nn.modules.linear.Linear");
}
END_TEST

START_TEST(special_files)
{
    temp_folder_make();
    ck_assert_int_eq(mkfifo(temp_path("pipe"), 0600), 0);
    ck_assert_int_eq(symlink("loop", temp_path("loop")), 0);
    ck_assert_int_eq(symlink("/dev/zero", temp_path("zero")), 0);
    ck_assert_int_eq(symlink("nowhere", temp_path("dangling")), 0);
    temp_write(temp_path("two\nlines"), "text", 4);
    assert_refused(temp_path("pipe"), SAE_E_IO, "a pipe");
    assert_refused(temp_path("loop"), SAE_E_IO, "loop");
    assert_refused(temp_path("zero"), SAE_E_IO, "a device");
    assert_refused(temp_path("dangling"), SAE_E_NOT_FOUND, "dangling");
    assert_refused(temp_path("absent"), SAE_E_NOT_FOUND, "absent");
    assert_refused(temp_path("two\nlines"), SAE_E_FORMAT, "two?lines");
    assert_refused(temp_folder, SAE_E_IO, "a folder");
    temp_folder_remove();
}
END_TEST

/* Every prefix of a file is refused when it is opened or read. */
START_TEST(cut_off)
{
    static const char *const names[] = {"f4.npy",    "matrix.safetensors", "sparse.h5", "matrix_packed.npz",
                                        "matrix.pt", "matrix_legacy.pt"};
    const size_t cuts = saei_context_trusts_files(context) ? 700 : 30; /* each starts a worker */
    temp_folder_make();
    for (int i = 0; i < 6; i++) {
        char path[512];
        size_t n;
        snprintf(path, sizeof path, FIXTURES "%s", names[i]);
        char *bytes = temp_read(path, &n);
        for (size_t cut = 0; cut < n; cut += 1 + n / cuts) {
            saei_reader *reader;
            temp_write(temp_path("cut"), bytes, cut);
            ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("cut"), &err), SAE_E_FORMAT);
        }
        free(bytes);
    }
    temp_folder_remove();
}
END_TEST

static void *read_often(void *user)
{
    saei_reader *reader = user;
    const saei_array_info *array = saei_reader_find(reader, "packed/f2");
    long wrong = 0;
    for (size_t round = 0; round < 200; round++) {
        float row[COLS];
        size_t at = round * 13 % ROWS;
        if (saei_reader_read_f32(row, reader, array, at, 1, NULL) != SAE_OK)
            wrong++;
        for (size_t col = 0; col < COLS; col++)
            wrong += (double)row[col] != cell(SAEI_F16, at, col);
    }
    return wrong == 0 ? user : NULL;
}

START_TEST(several_threads)
{
    saei_reader *readers[2];
    pthread_t threads[4];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(saei_reader_open(&readers[i], context, FIXTURES "matrix.h5", &err), SAE_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_often, readers[i / 2]), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_nonnull(result);
    }
    for (int i = 0; i < 2; i++)
        saei_reader_free(readers[i]);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*make)(void))
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, make, context_end);
    tcase_add_loop_test(tests, same_rows_from_every_format, 0, N_CASES);
    tcase_add_test(tests, scalars_and_attributes);
    tcase_add_test(tests, settings_of_torch);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, special_files);
    tcase_add_test(tests, cut_off);
    tcase_add_test(tests, several_threads);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("readers");
    add_tests(suite, "isolated", context_make);
    add_tests(suite, "trusted", context_make_trusted);
    return run_suite(suite);
}
