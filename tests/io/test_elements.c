/* Elements that are read piece by piece are those that are converted at once, whatever the type, the place in
   the file, the threads and the way past the page cache; NaN and infinity are told wherever they are, and a
   file that was cut off since it was opened fails where it ends. */
#include "io/elements.h"
#include "base/context.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <fcntl.h>
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

/* Who reads: the pool, or one thread, through the page cache or past it. */
static saei_lone_reader cached, past_cache;
static const saei_lone_reader *const readers[] = {NULL, &cached, &past_cache};
enum { READERS = 3 };

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
    past_cache = saei_lone_reader_past_cache(context);
    ck_assert_ptr_nonnull(past_cache.block);
}

static void teardown(void)
{
    saei_lone_reader_free(&past_cache);
    context_end();
    temp_folder_remove();
}

static sae_status read_all(bool *finite, saei_dtype dtype, bool by_threads, const saei_lone_reader *alone)
{
    const saei_elements elements = {.run = &run, .start = BEFORE, .dtype = dtype, .n = N};
    memset(got, 0xff, sizeof got);
    *finite = true;
    run.file = by_threads ? &file : NULL;
    return saei_elements_read_f32(got, finite, &elements, alone, &err);
}

START_TEST(pieces_make_the_whole)
{
    const saei_dtype dtype = types[_i];
    fill(dtype);
    write_and_open(saei_dtype_size(dtype));
    ck_assert(saei_dtype_to_f32(want, dtype, stored + BEFORE, N));
    for (int how = 0; how < READERS + 1; how++) {
        bool finite, by_threads = how < READERS;
        ck_assert_int_eq(read_all(&finite, dtype, by_threads, by_threads ? readers[how] : NULL), SAE_OK);
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
        for (int how = 0; how < READERS; how++) {
            ck_assert_int_eq(read_all(&finite, dtype, true, readers[how]), SAE_OK);
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
    for (int how = 0; how < READERS; how++) {
        bool finite;
        ck_assert_int_eq(read_all(&finite, SAEI_F16, true, readers[how]), SAE_E_FORMAT);
        ck_assert_int_eq(err.offset, (int64_t)kept);
    }
    saei_input_file_close(&file);
}
END_TEST

/* Whether the file system of the temporary folder has a way past the page cache. */
static bool has_a_way_past_the_cache(void)
{
    int fd = open(temp_path("elements"), O_RDONLY | O_DIRECT);
    bool has = fd >= 0 && pread(fd, past_cache.block, 4096, 0) == 4096;
    if (fd >= 0)
        close(fd);
    return has;
}

START_TEST(the_way_past_the_cache_is_taken)
{
    const void *bytes;
    const uint64_t end = BEFORE + N * 8;
    fill(SAEI_F64);
    write_and_open(8);
    if (has_a_way_past_the_cache()) {
        const uint64_t from[] = {0, 1, 4095, 4096, end - 65536};
        for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
            size_t n = saei_lone_reader_fetch(&bytes, &past_cache, &file, from[i], (size_t)(end - from[i]));
            ck_assert_uint_ge(n, 65536);
            ck_assert_uint_le(n, end - from[i]);
            ck_assert_int_eq(memcmp(bytes, stored + from[i], n), 0);
        }
    }
    saei_input_file_close(&file);
}
END_TEST

START_TEST(the_way_past_the_cache_is_left)
{
    const void *bytes;
    const uint64_t end = BEFORE + N * 8;
    fill(SAEI_F64);
    write_and_open(8);
    ck_assert_uint_eq(saei_lone_reader_fetch(&bytes, &cached, &file, 0, 100000), 0);
    ck_assert_uint_eq(saei_lone_reader_fetch(&bytes, &past_cache, &file, 0, 60000), 0);
    ck_assert_uint_eq(saei_lone_reader_fetch(&bytes, &past_cache, &file, end - 70000, 70001), 0);
    ck_assert_uint_eq(saei_lone_reader_fetch(&bytes, &past_cache, &file, end + 5000, 70000), 0);
    saei_input_file_close(&file);
}
END_TEST

/* Longer than the block, and beyond the end. */
START_TEST(bytes_past_the_cache)
{
    static unsigned char copy[N * 8];
    fill(SAEI_F64);
    write_and_open(8);
    for (int how = 0; how < READERS; how++) {
        memset(copy, 0, sizeof copy);
        ck_assert_int_eq(saei_lone_reader_read(copy, readers[how], &file, BEFORE, sizeof copy, &err), SAE_OK);
        ck_assert_int_eq(memcmp(copy, stored + BEFORE, sizeof copy), 0);
        ck_assert_int_eq(saei_lone_reader_read(copy, readers[how], &file, BEFORE + 1, sizeof copy, &err),
                         SAE_E_FORMAT);
    }
    saei_input_file_close(&file);
}
END_TEST

/* With little memory left there is no block, and reading does without. */
START_TEST(no_memory_for_a_block)
{
    sae_context *small;
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = 4 << 20;
    ck_assert_int_eq(sae_context_new(&small, &options, &err), SAE_OK);
    saei_lone_reader reader = saei_lone_reader_past_cache(small);
    ck_assert_ptr_null(reader.block);
    ck_assert_uint_eq(sae_context_memory_used(small), 0);
    fill(SAEI_F32);
    write_and_open(4);
    bool finite;
    ck_assert_int_eq(read_all(&finite, SAEI_F32, true, &reader), SAE_OK);
    ck_assert_int_eq(memcmp(got, stored + BEFORE, sizeof got), 0);
    saei_input_file_close(&file);
    saei_lone_reader_free(&reader);
    sae_context_free(small);
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
    tcase_add_test(tests, the_way_past_the_cache_is_taken);
    tcase_add_test(tests, the_way_past_the_cache_is_left);
    tcase_add_test(tests, bytes_past_the_cache);
    tcase_add_test(tests, no_memory_for_a_block);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
