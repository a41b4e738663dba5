/* Arrays written into every format, read back by the readers; and that nothing is left when that fails. */
#include "io/array_sink.h"
#include "io/input_file.h"
#include "io/npy_write.h"
#include "io/reader.h"
#include "io/zip.h"
#include "io/zip_records.h"
#include "temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const names[] = {"out.h5", "out.npz", "out.safetensors", "out.pt", "out.npy"};
enum { FORMATS = sizeof names / sizeof names[0], OF_MANY = FORMATS - 1, ROWS = 1501, WIDTH = 7 };

typedef struct sample {
    const char *name;
    saei_dtype dtype, read_back; /* as .pt holds it */
    uint64_t columns;
    bool open;
} sample;

/* Narrow types first and open ones between the others: the file puts them in an order of its own. */
static const sample samples[] = {
    {"activations", SAEI_BF16, SAEI_BF16, WIDTH, false}, {"open/halves", SAEI_F16, SAEI_F16, 0, true},
    {"labels/a", SAEI_U64, SAEI_I64, 0, false},          {"value", SAEI_F32, SAEI_F32, 0, true},
    {"latent", SAEI_U32, SAEI_I32, WIDTH, true},         {"score", SAEI_F64, SAEI_F64, 0, false},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void setup(void)
{
    temp_folder_make();
    context_make();
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

static size_t row_bytes(const sample *s)
{
    return saei_dtype_size(s->dtype) * (s->columns > 0 ? (size_t)s->columns : 1);
}

/* Small numbers of every type, so that .pt's signed integers are the same numbers; no NaN among the floats.
 */
static void fill(unsigned char *out, const sample *s, size_t rows)
{
    size_t n = rows * row_bytes(s), width = saei_dtype_size(s->dtype);
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(i % width == width - 1 ? 0 : i * 37 + i / 251 + (size_t)s->dtype);
}

static saei_container container_of(const char *path)
{
    saei_container container;
    ck_assert(saei_container_of(&container, path));
    return container;
}

static sae_status append_all(saei_array_sink *sink, const size_t number[SAMPLES], size_t rows, size_t at_once)
{
    unsigned char *data[SAMPLES];
    sae_status status = SAE_OK;
    for (size_t i = 0; i < SAMPLES; i++) {
        data[i] = malloc(rows * row_bytes(&samples[i]) + 1);
        ck_assert_ptr_nonnull(data[i]);
        fill(data[i], &samples[i], rows);
    }
    for (size_t first = 0; first < rows && status == SAE_OK; first += at_once)
        for (size_t i = 0; i < SAMPLES && status == SAE_OK; i++)
            status = saei_array_sink_append(sink, number[i], data[i] + first * row_bytes(&samples[i]),
                                            rows - first < at_once ? rows - first : at_once, &err);
    for (size_t i = 0; i < SAMPLES; i++)
        free(data[i]);
    return status;
}

/* Writes rows of all samples, at_once of them together, in turn. */
static sae_status write_all(const char *path, size_t rows, size_t at_once)
{
    saei_array_sink *sink;
    size_t number[SAMPLES];
    sae_status status = saei_array_sink_open(&sink, context, path, container_of(path), SAEI_OVERWRITE, &err);
    if (status == SAE_OK)
        status = saei_array_sink_text(sink, "model", "Modell \"A\" \xc3\xa4", &err);
    if (status == SAE_OK)
        status = saei_array_sink_text(sink, "format", "a test", &err);
    for (size_t i = 0; i < SAMPLES && status == SAE_OK; i++) {
        const sample *s = &samples[i];
        const saei_array_plan plan = {s->name, s->dtype, s->open ? SAEI_ROWS_OPEN : rows, s->columns,
                                      s->columns > 0 && !s->open};
        status = saei_array_sink_add(&number[i], sink, &plan, &err);
    }
    if (status == SAE_OK)
        status = append_all(sink, number, rows, at_once);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&sink, &err);
    saei_array_sink_discard(sink);
    return status;
}

static void check_array(saei_reader *reader, const sample *s, saei_dtype dtype, size_t rows)
{
    const saei_array_info *array = saei_reader_find(reader, s->name);
    ck_assert_msg(array != NULL, "no array %s", s->name);
    ck_assert_int_eq(array->dtype, dtype);
    ck_assert_uint_eq(array->rank, s->columns > 0 ? 2 : 1);
    ck_assert_uint_eq(array->shape[0], rows);
    unsigned char *wanted = malloc(rows * row_bytes(s) + 1), *got = malloc(rows * row_bytes(s) + 1);
    ck_assert(wanted != NULL && got != NULL);
    fill(wanted, s, rows);
    if (rows > 0)
        ck_assert_int_eq(saei_reader_read_stored(got, reader, array, 0, rows, &err), SAE_OK);
    ck_assert_mem_eq(got, wanted, rows * row_bytes(s));
    free(got);
    free(wanted);
}

static void check_texts(const saei_reader *reader)
{
    static const char *const wanted[][2] = {{"format", "a test"}, {"model", "Modell \"A\" \xc3\xa4"}};
    size_t found = 0;
    for (size_t i = 0; i < saei_reader_attributes(reader); i++)
        for (size_t k = 0; k < 2; k++)
            if (strcmp(saei_reader_attribute_name(reader, i), wanted[k][0]) == 0) {
                ck_assert_str_eq(saei_reader_attribute_value(reader, i), wanted[k][1]);
                found++;
            }
    ck_assert_uint_eq(found, 2);
}

START_TEST(every_bit_comes_back)
{
    const size_t rows[] = {ROWS, 1, 0};
    const char *name = names[_i];
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        ck_assert_msg(write_all(temp_path(name), rows[r], 1000) == SAE_OK, "%s", err.text);
        ck_assert_int_eq(temp_folder_entries(), 1);
        saei_reader *reader;
        ck_assert_msg(saei_reader_open(&reader, context, temp_path(name), &err) == SAE_OK, "%s", err.text);
        ck_assert_uint_eq(saei_reader_count(reader), SAMPLES);
        for (size_t i = 0; i < SAMPLES; i++)
            check_array(reader, &samples[i],
                        strcmp(name, "out.pt") == 0 ? samples[i].read_back : samples[i].dtype, rows[r]);
        check_texts(reader);
        ck_assert_int_eq(saei_reader_check_rest(reader, &err), SAE_OK);
        saei_reader_free(reader);
    }
}
END_TEST

/* However the rows come, and whoever writes. */
START_TEST(bytes_follow_from_the_arrays)
{
    const size_t at_once[] = {ROWS, 7, 999};
    char *first = NULL;
    size_t first_bytes = 0;
    for (size_t i = 0; i < sizeof at_once / sizeof at_once[0]; i++) {
        size_t bytes;
        ck_assert_int_eq(write_all(temp_path(names[_i]), ROWS, at_once[i]), SAE_OK);
        char *now = temp_read(temp_path(names[_i]), &bytes);
        if (first == NULL) {
            first = now;
            first_bytes = bytes;
            continue;
        }
        ck_assert_uint_eq(bytes, first_bytes);
        ck_assert_mem_eq(now, first, bytes);
        free(now);
    }
    free(first);
}
END_TEST

START_TEST(a_npy_is_one_array)
{
    const float rows[6] = {1, 2, 3, 4, 5, 6};
    unsigned char wanted[SAEI_NPY_HEADER_BYTES + sizeof rows];
    saei_array_sink *sink;
    size_t array, second, bytes;
    ck_assert_int_eq(saei_array_sink_open(&sink, context, temp_path("a.npy"), SAEI_CONTAINER_NPY,
                                          SAEI_KEEP_EXISTING, &err),
                     SAE_OK);
    const saei_array_plan plan = {"x", SAEI_F32, SAEI_ROWS_OPEN, 3, false},
                          other = {"y", SAEI_F32, 2, 0, false};
    ck_assert_int_eq(saei_array_sink_text(sink, "nowhere", "to be kept", &err), SAE_OK);
    ck_assert_int_eq(saei_array_sink_add(&array, sink, &plan, &err), SAE_OK);
    ck_assert_int_eq(saei_array_sink_add(&second, sink, &other, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_array_sink_append(sink, array, rows, 1, &err), SAE_OK);
    ck_assert_int_eq(saei_array_sink_append(sink, array, rows + 3, 1, &err), SAE_OK);
    ck_assert_int_eq(saei_array_sink_finish(&sink, &err), SAE_OK);
    ck_assert_ptr_null(sink);
    saei_npy_header(wanted, SAEI_F32, 2, 3);
    memcpy(wanted + SAEI_NPY_HEADER_BYTES, rows, sizeof rows);
    char *got = temp_read(temp_path("a.npy"), &bytes);
    ck_assert_uint_eq(bytes, sizeof wanted);
    ck_assert_mem_eq(got, wanted, bytes);
    free(got);
    ck_assert_int_eq(saei_array_sink_open(&sink, context, temp_path("a.npy"), SAEI_CONTAINER_NPY,
                                          SAEI_KEEP_EXISTING, &err),
                     SAE_E_EXISTS);
    ck_assert_ptr_null(sink);
}
END_TEST

/* What a caller may do wrong. The first row of each: declared rows, appended ones. */
START_TEST(rows_must_be_as_declared)
{
    const uint64_t row = 1;
    for (uint64_t declared = 0; declared < 3; declared += 2) {
        saei_array_sink *sink;
        size_t array;
        const saei_array_plan plan = {"x", SAEI_U64, declared, 0, false};
        ck_assert_int_eq(saei_array_sink_open(&sink, context, temp_path(names[_i]), container_of(names[_i]),
                                              SAEI_OVERWRITE, &err),
                         SAE_OK);
        ck_assert_int_eq(saei_array_sink_add(&array, sink, &plan, &err), SAE_OK);
        ck_assert_int_eq(saei_array_sink_append(sink, array, &row, 1, &err),
                         declared == 0 ? SAE_E_ARGUMENT : SAE_OK);
        ck_assert_int_ne(saei_array_sink_finish(&sink, &err), SAE_OK);
        ck_assert_ptr_nonnull(strstr(err.text, "out"));
        ck_assert_int_eq(temp_folder_entries(), 0);
    }
}
END_TEST

static sae_status add_named(saei_array_sink *sink, const char *name, saei_dtype dtype)
{
    size_t array;
    const saei_array_plan plan = {name, dtype, 1, 0, false};
    return saei_array_sink_add(&array, sink, &plan, &err);
}

START_TEST(what_is_refused)
{
    static char long_name[2000], long_text[70000];
    saei_array_sink *sink;
    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_text, 't', sizeof long_text - 1);
    ck_assert_int_eq(saei_array_sink_open(&sink, context, temp_path(names[_i]), container_of(names[_i]),
                                          SAEI_OVERWRITE, &err),
                     SAE_OK);
    ck_assert_int_eq(add_named(sink, "a", SAEI_F32), SAE_OK);
    ck_assert_int_eq(add_named(sink, "a", SAEI_F32), SAE_E_ARGUMENT);
    ck_assert_int_eq(add_named(sink, "", SAEI_F32), SAE_E_ARGUMENT);
    ck_assert_int_eq(add_named(sink, long_name, SAEI_F32), SAE_E_ARGUMENT);
    ck_assert_int_eq(add_named(sink, "b", SAEI_I8), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_array_sink_text(sink, "long", long_text, &err), SAE_E_ARGUMENT);
    saei_array_sink_discard(sink);
    ck_assert_int_eq(temp_folder_entries(), 0);
}
END_TEST

/* 64 kB hold the comment of an archive; a text that is not UTF-8 is no JSON. */
START_TEST(texts_that_do_not_fit)
{
    static char most[65000];
    memset(most, 't', sizeof most - 1);
    const char *const texts[][2] = {{most, most}, {"\xff\xfe", "fine"}};
    for (size_t i = 0; i < 2; i++) {
        saei_array_sink *sink;
        ck_assert_int_eq(saei_array_sink_open(&sink, context, temp_path("out.npz"), SAEI_CONTAINER_NPZ,
                                              SAEI_OVERWRITE, &err),
                         SAE_OK);
        ck_assert_int_eq(saei_array_sink_text(sink, "one", texts[i][0], &err), SAE_OK);
        ck_assert_int_eq(saei_array_sink_text(sink, "two", texts[i][1], &err), SAE_OK);
        ck_assert_int_eq(saei_array_sink_finish(&sink, &err), SAE_E_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "out.npz"));
        ck_assert_int_eq(temp_folder_entries(), 0);
    }
}
END_TEST

/* A limit on the size of files fails a write as a full disk does. */
START_TEST(a_full_disk_leaves_nothing)
{
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(write_all(temp_path(names[_i]), ROWS, 100), SAE_OK);
    struct stat info;
    ck_assert_int_eq(stat(temp_path(names[_i]), &info), 0);
    ck_assert_int_eq(unlink(temp_path(names[_i])), 0);
    rlim_t whole = (rlim_t)info.st_size;
    for (rlim_t bytes = 0; bytes < whole; bytes += 1 + whole / 11) {
        struct rlimit limit = {bytes, RLIM_INFINITY};
        /* No assertion while the limit is on: Check writes a file too. */
        setrlimit(RLIMIT_FSIZE, &limit);
        sae_status status = write_all(temp_path(names[_i]), ROWS, 100);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        ck_assert_int_eq(status, SAE_E_IO);
        ck_assert_ptr_nonnull(strstr(err.text, names[_i]));
        ck_assert_int_eq(temp_folder_entries(), 0);
    }
}
END_TEST

static void put_record(int fd, const saei_zip_part *part, uint64_t at, bool central)
{
    unsigned char bytes[256];
    size_t n = central ? saei_zip_central_bytes(part) : saei_zip_local_bytes(part);
    ck_assert_uint_le(n, sizeof bytes);
    (central ? saei_zip_put_central : saei_zip_put_local)(bytes, part);
    ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
}

/* Members beyond 4 GiB are holes of a sparse file; only their records are looked at. */
START_TEST(records_of_archives_beyond_4_gib)
{
    const uint64_t wide = (uint64_t)5 << 30;
    saei_zip_part parts[2] = {{"wide", wide, 0, 7}, {"narrow", 3, 0, 0}};
    parts[1].offset = saei_zip_local_bytes(&parts[0]) + wide;
    uint64_t directory = parts[1].offset + saei_zip_local_bytes(&parts[1]) + 3, at = directory;
    int fd = open(temp_path("wide.zip"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < 2; i++) {
        put_record(fd, &parts[i], parts[i].offset, false);
        put_record(fd, &parts[i], at, true);
        at += saei_zip_central_bytes(&parts[i]);
    }
    unsigned char end[SAEI_ZIP_END_MAX];
    size_t n = saei_zip_put_end(end, 2, directory, at - directory, 5);
    ck_assert_uint_eq(n, SAEI_ZIP_END_MAX);
    ck_assert_int_eq(pwrite(fd, end, n, (off_t)at), (ssize_t)n);
    ck_assert_int_eq(pwrite(fd, "hello", 5, (off_t)(at + n)), 5);
    close(fd);
    saei_input_file file;
    saei_zip *zip;
    size_t comment_bytes;
    ck_assert_int_eq(saei_input_file_open(&file, temp_path("wide.zip"), &err), SAE_OK);
    ck_assert_msg(saei_zip_open(&zip, context, &file, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(saei_zip_count(zip), 2);
    ck_assert_uint_eq(saei_zip_find(zip, "wide")->bytes, wide);
    ck_assert_uint_eq(saei_zip_find(zip, "narrow")->bytes, 3);
    ck_assert_mem_eq(saei_zip_comment(zip, &comment_bytes), "hello", 5);
    ck_assert_uint_eq(comment_bytes, 5);
    saei_zip_free(zip);
    saei_input_file_close(&file);
}
END_TEST

START_TEST(suffixes)
{
    saei_container c;
    ck_assert(saei_container_of(&c, "a/b.HDF5") && c == SAEI_CONTAINER_HDF5);
    ck_assert(saei_container_of(&c, "b.Safetensors") && c == SAEI_CONTAINER_SAFETENSORS);
    ck_assert(!saei_container_of(&c, ".npz") && !saei_container_of(&c, "npz") &&
              !saei_container_of(&c, "a.npz.csv"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("array_sink");
    TCase *tests = tcase_create("array_sink");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_bit_comes_back, 0, OF_MANY);
    tcase_add_loop_test(tests, bytes_follow_from_the_arrays, 0, OF_MANY);
    tcase_add_test(tests, a_npy_is_one_array);
    tcase_add_loop_test(tests, rows_must_be_as_declared, 1, FORMATS);
    tcase_add_loop_test(tests, what_is_refused, 1, OF_MANY);
    tcase_add_test(tests, texts_that_do_not_fit);
    tcase_add_loop_test(tests, a_full_disk_leaves_nothing, 0, OF_MANY);
    tcase_add_test(tests, records_of_archives_beyond_4_gib);
    tcase_add_test(tests, suffixes);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
