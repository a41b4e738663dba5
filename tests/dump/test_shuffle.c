/* sae_dump_shuffle: a permutation, uniform, the same whatever the memory and the threads; the output whole or
   absent. */
#include "io/npy_write.h"
#include "io/reader.h"
#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "sae/dump.h"

#include <signal.h>
#include <sys/resource.h>

enum { ROWS = 20000, D = 6 };

static float *rows;
static double *tokens, *scores;

static void setup(void)
{
    temp_folder_make();
    context_make();
    rows = malloc(sizeof *rows * ROWS * D);
    tokens = malloc(sizeof *tokens * ROWS);
    scores = malloc(sizeof *scores * ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < D; j++)
            rows[i * D + j] = (float)(i * 8 + j);
        tokens[i] = (double)((i * 7919) % 1000);
        scores[i] = (double)i / 8 - 100;
    }
}

static void teardown(void)
{
    free(rows);
    free(tokens);
    free(scores);
    context_end();
    temp_folder_remove();
}

static sae_context *limited_context(uint64_t memory, unsigned threads)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = memory;
    options.threads = threads;
    sae_context *limited;
    ck_assert_int_eq(sae_context_new(&limited, &options, &err), SAE_OK);
    return limited;
}

static sae_dump *open_rows(sae_context *of)
{
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_from_rows(&dump, of, (sae_view){rows, ROWS, D, D}, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "token_ids", tokens, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "labels/score", scores, &err), SAE_OK);
    return dump;
}

static sae_dump *open_path(const char *path, const char *where)
{
    sae_dump *dump;
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    ck_assert_msg(sae_dump_open(&dump, context, &path, 1, &options, &err) == SAE_OK, "%s", err.text);
    return dump;
}

static sae_status shuffle(const sae_dump *dump, const char *path, uint64_t seed)
{
    sae_shuffle_options options;
    sae_shuffle_options_init(&options);
    options.seed = seed;
    return sae_dump_shuffle(dump, path, &options, &err);
}

/* Checks that the file holds each of n rows once, with its columns; fills order [n] with their numbers. */
static void check_permutation(size_t *order, const char *path, size_t n, bool columns)
{
    sae_dump *dump = open_path(path, NULL);
    ck_assert_uint_eq(sae_dump_rows(dump), n);
    ck_assert_uint_eq(sae_dump_columns(dump), columns ? 2 : 0);
    float *got = malloc(sizeof *got * n * D);
    double *token = malloc(sizeof *token * n), *score = malloc(sizeof *score * n);
    unsigned char *seen = calloc(ROWS, 1);
    ck_assert_int_eq(sae_dump_read(got, dump, 0, n, &err), SAE_OK);
    if (columns) {
        ck_assert_int_eq(sae_dump_read_column(token, dump, "token_ids", &err), SAE_OK);
        ck_assert_int_eq(sae_dump_read_column(score, dump, "labels/score", &err), SAE_OK);
    }
    for (size_t i = 0; i < n; i++) {
        size_t row = order[i] = (size_t)got[i * D] / 8;
        ck_assert_int_eq(memcmp(got + i * D, rows + row * D, D * sizeof *got), 0);
        ck_assert_int_eq(seen[row]++, 0);
        ck_assert(!columns || (token[i] == tokens[row] && score[i] == scores[row]));
    }
    free(got);
    free(token);
    free(score);
    free(seen);
    sae_dump_free(dump);
}

START_TEST(rows_and_columns_stay_together)
{
    static size_t order[ROWS], again[ROWS];
    sae_dump *dump = open_rows(context);
    ck_assert_msg(shuffle(dump, temp_path("a.h5"), 3) == SAE_OK, "%s", err.text);
    ck_assert_int_eq(shuffle(dump, temp_path("a.npy"), 3), SAE_OK);
    check_permutation(order, temp_path("a.h5"), ROWS, true);
    check_permutation(again, temp_path("a.npy"), ROWS, false);
    ck_assert_int_eq(memcmp(order, again, sizeof order), 0);
    size_t in_place = 0, rising = 0;
    for (size_t i = 0; i < ROWS; i++) {
        in_place += order[i] == i;
        rising += i > 0 && order[i] > order[i - 1];
    }
    ck_assert_uint_lt(in_place, 12);
    ck_assert(rising > ROWS / 2 - 300 && rising < ROWS / 2 + 300);
    ck_assert_int_eq(shuffle(dump, temp_path("b.h5"), 4), SAE_OK);
    check_permutation(again, temp_path("b.h5"), ROWS, true);
    ck_assert_int_ne(memcmp(order, again, sizeof order), 0);
    ck_assert_int_eq(temp_folder_entries(), 3);
    sae_dump_free(dump);
}
END_TEST

static void assert_same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = temp_read(a, &n), *y = temp_read(b, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_int_eq(memcmp(x, y, n), 0);
    free(x);
    free(y);
}

START_TEST(memory_and_threads_change_nothing)
{
    const uint64_t limits[] = {2 << 20, 4 << 20, 64 << 20};
    sae_dump *dump = open_rows(context);
    ck_assert_int_eq(shuffle(dump, temp_path("whole.npy"), 1), SAE_OK);
    ck_assert_int_eq(shuffle(dump, temp_path("rows.h5"), 1), SAE_OK);
    sae_dump_free(dump);
    for (int i = 0; i < 3; i++) {
        sae_context *limited = limited_context(limits[i], i == 1 ? 4 : 1);
        const char *path = temp_path("whole.npy");
        ck_assert_int_eq(sae_dump_open(&dump, limited, &path, 1, NULL, &err), SAE_OK);
        char name[16];
        snprintf(name, sizeof name, "%d.npy", i);
        ck_assert_msg(shuffle(dump, temp_path(name), 2) == SAE_OK, "%s", err.text);
        if (i > 0)
            assert_same_files(temp_path(name), temp_path("0.npy"));
        sae_dump_free(dump);
        path = temp_path("rows.h5");
        ck_assert_int_eq(sae_dump_open(&dump, limited, &path, 1, NULL, &err), SAE_OK);
        snprintf(name, sizeof name, "%d.h5", i);
        ck_assert_msg(shuffle(dump, temp_path(name), 2) == SAE_OK, "%s", err.text);
        if (i > 0)
            assert_same_files(temp_path(name), temp_path("0.h5"));
        sae_dump_free(dump);
        ck_assert_uint_eq(sae_context_memory_used(limited), 0);
        sae_context_free(limited);
    }
}
END_TEST

/* Four rows have 24 orders. χ² of 23 degrees of freedom passes 70.6 once in a million. */
START_TEST(every_order_is_equally_likely)
{
    enum { N = 4, ORDERS = 24, SEEDS = 25 * ORDERS };
    size_t counts[N * N * N * N] = {0}, order[N], different = 0;
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, N, D, D}, &err), SAE_OK);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        ck_assert_int_eq(shuffle(dump, temp_path("a.npy"), seed), SAE_OK);
        check_permutation(order, temp_path("a.npy"), N, false);
        counts[((order[0] * N + order[1]) * N + order[2]) * N + order[3]]++;
        ck_assert_int_eq(unlink(temp_path("a.npy")), 0);
    }
    double chi2 = 0;
    const double expected = (double)SEEDS / ORDERS;
    for (size_t i = 0; i < N * N * N * N; i++)
        if (counts[i] > 0) {
            different++;
            chi2 += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
        }
    ck_assert_uint_eq(different, ORDERS);
    ck_assert(chi2 < 70.6);
    sae_dump_free(dump);
}
END_TEST

/* The stored bits of small floats survive, and shards of two types become float32. */
START_TEST(rows_keep_their_type)
{
    enum { N = 300 };
    const saei_dtype dtypes[] = {SAEI_F16, SAEI_BF16, SAEI_F64};
    const char *suffixes[] = {"h5", "npy"};
    for (int t = 0; t < 3; t++) {
        unsigned char bytes[SAEI_NPY_HEADER_BYTES + N * D * 8], *data = bytes + SAEI_NPY_HEADER_BYTES;
        size_t row_bytes = D * saei_dtype_size(dtypes[t]);
        for (size_t i = 0; i < N * row_bytes; i++)
            data[i] = (unsigned char)(i * 37 / 11 + i / row_bytes);
        saei_npy_header(bytes, dtypes[t], N, D);
        temp_write(temp_path("in.npy"), bytes, SAEI_NPY_HEADER_BYTES + N * row_bytes);
        for (int s = 0; s < 2; s++) {
            char name[16];
            snprintf(name, sizeof name, "%d.%s", t, suffixes[s]);
            sae_dump *dump = open_path(temp_path("in.npy"), NULL);
            ck_assert_msg(shuffle(dump, temp_path(name), 1) == SAE_OK, "%s", err.text);
            sae_dump_free(dump);
            saei_reader *reader;
            ck_assert_int_eq(saei_reader_open(&reader, context, temp_path(name), &err), SAE_OK);
            const saei_array_info *array = saei_reader_at(reader, 0);
            ck_assert_int_eq(array->dtype, dtypes[t]);
            unsigned char got[N * D * 8], found[N] = {0};
            ck_assert_int_eq(saei_reader_read_stored(got, reader, array, 0, N, &err), SAE_OK);
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j < N; j++)
                    found[i] |= memcmp(data + i * row_bytes, got + j * row_bytes, row_bytes) == 0;
            for (size_t i = 0; i < N; i++)
                ck_assert_int_eq(found[i], 1);
            saei_reader_free(reader);
        }
    }
    const char *shards[] = {temp_path("0.h5"), temp_path("1.h5")};
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_open(&dump, context, shards, 2, NULL, &err), SAE_OK);
    ck_assert_int_eq(shuffle(dump, temp_path("both.h5"), 1), SAE_OK);
    sae_dump_free(dump);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("both.h5"), &err), SAE_OK);
    ck_assert_int_eq(saei_reader_at(reader, 0)->dtype, SAEI_F32);
    ck_assert_uint_eq(saei_reader_at(reader, 0)->shape[0], 2 * N);
    saei_reader_free(reader);
}
END_TEST

START_TEST(only_selected_rows)
{
    static size_t order[ROWS];
    sae_dump *dump = open_rows(context);
    ck_assert_int_eq(shuffle(dump, temp_path("a.h5"), 1), SAE_OK);
    sae_dump_free(dump);
    dump = open_path(temp_path("a.h5"), "token_ids<100");
    size_t n = (size_t)sae_dump_rows(dump);
    ck_assert_uint_eq(n, ROWS / 10);
    ck_assert_int_eq(shuffle(dump, temp_path("b.h5"), 2), SAE_OK);
    sae_dump_free(dump);
    check_permutation(order, temp_path("b.h5"), n, true);
    for (size_t i = 0; i < n; i++)
        ck_assert(tokens[order[i]] < 100);
}
END_TEST

START_TEST(what_is_refused)
{
    sae_dump *dump = open_rows(context);
    ck_assert_int_eq(shuffle(dump, temp_path("a.csv"), 1), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "a.csv"));
    ck_assert_int_eq(shuffle(dump, temp_path("no/a.h5"), 1), SAE_E_NOT_FOUND);
    temp_write(temp_path("a.h5"), "kept", 4);
    ck_assert_int_eq(shuffle(dump, temp_path("a.h5"), 1), SAE_E_EXISTS);
    assert_file_holds(temp_path("a.h5"), "kept");
    sae_shuffle_options options;
    sae_shuffle_options_init(&options);
    options.overwrite = true;
    ck_assert_int_eq(sae_dump_shuffle(dump, temp_path("a.h5"), &options, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_shuffle(dump, temp_path("a.npy"), &options, &err), SAE_OK);
    sae_dump_free(dump);
    const char *path = temp_path("a.npy");
    sae_context *limited = limited_context(1 << 16, 1);
    ck_assert_int_eq(sae_dump_open(&dump, limited, &path, 1, NULL, &err), SAE_OK);
    ck_assert_int_eq(shuffle(dump, temp_path("b.npy"), 1), SAE_E_MEMORY);
    sae_dump_free(dump);
    sae_context_free(limited);
    ck_assert_int_eq(temp_folder_entries(), 2);
}
END_TEST

static int stop_at(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)stage, (void)done, (void)total;
    return --*(int *)user == 0;
}

/* Stopped at every moment it may be, it leaves nothing. */
START_TEST(a_stop_leaves_nothing)
{
    sae_dump *dump = open_rows(context);
    sae_status status = SAE_STOPPED;
    int calls = 0;
    while (status == SAE_STOPPED) {
        int left = ++calls;
        sae_shuffle_options options;
        sae_shuffle_options_init(&options);
        options.progress = stop_at;
        options.progress_user = &left;
        status = sae_dump_shuffle(dump, temp_path("a.h5"), &options, &err);
        ck_assert_int_eq(temp_folder_entries(), status == SAE_OK);
    }
    ck_assert_int_eq(status, SAE_OK);
    ck_assert_int_gt(calls, 3);
    sae_dump_free(dump);
}
END_TEST

START_TEST(a_full_disk_leaves_nothing)
{
    signal(SIGXFSZ, SIG_IGN);
    sae_dump *dump = open_rows(context);
    static const char *const names[] = {"full.h5", "full.npy", "full.npz", "full.safetensors", "full.pt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (rlim_t bytes = 0; bytes < ROWS * D * sizeof(float); bytes += 1 + ROWS * D * sizeof(float) / 9) {
            struct rlimit limit = {bytes, RLIM_INFINITY};
            /* No assertion while the limit is on: Check writes a file too. */
            setrlimit(RLIMIT_FSIZE, &limit);
            sae_status status = shuffle(dump, temp_path(names[i]), 1);
            limit.rlim_cur = RLIM_INFINITY;
            ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
            ck_assert_int_eq(status, SAE_E_IO);
            ck_assert_ptr_nonnull(strstr(err.text, "full"));
            ck_assert_int_eq(temp_folder_entries(), 0);
        }
    sae_dump_free(dump);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shuffle");
    TCase *tests = tcase_create("shuffle");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, rows_and_columns_stay_together);
    tcase_add_test(tests, memory_and_threads_change_nothing);
    tcase_add_test(tests, every_order_is_equally_likely);
    tcase_add_test(tests, rows_keep_their_type);
    tcase_add_test(tests, only_selected_rows);
    tcase_add_test(tests, what_is_refused);
    tcase_add_test(tests, a_stop_leaves_nothing);
    tcase_add_test(tests, a_full_disk_leaves_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
