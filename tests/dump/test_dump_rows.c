/* Dumps over rows in memory. */
#include "base/memory.h"
#include "dump/dump.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>
#include <string.h>

enum { ROWS = 1000, D = 7, STRIDE = 9 };

static float data[ROWS * STRIDE];

static void setup(void)
{
    context_make();
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        data[i] = (float)(i * 2654435761u % 10007) / 64 - 50;
}

static sae_view view(void)
{
    return (sae_view){.data = data, .rows = ROWS, .cols = D, .stride = STRIDE};
}

static sae_dump *dump_of(sae_view rows)
{
    sae_dump *dump;
    ck_assert_msg(sae_dump_from_rows(&dump, context, rows, &err) == SAE_OK, "%s", err.text);
    return dump;
}

START_TEST(reads_rows_with_a_stride)
{
    sae_dump *dump = dump_of(view());
    ck_assert_uint_eq(sae_dump_dim(dump), D);
    ck_assert_uint_eq(sae_dump_rows(dump), ROWS);
    ck_assert_uint_eq(sae_dump_rows_total(dump), ROWS);
    ck_assert_uint_eq(sae_dump_rows_dropped(dump), 0);
    ck_assert_ptr_eq(saei_dump_context(dump), context);
    ck_assert_uint_eq(saei_dump_block_rows(dump), 256);
    float rows[20 * D];
    ck_assert_int_eq(sae_dump_read(rows, dump, 980, 20, &err), SAE_OK);
    for (size_t i = 0; i < 20; i++)
        ck_assert_mem_eq(rows + i * D, data + (980 + i) * STRIDE, D * sizeof(float));
    ck_assert_int_eq(sae_dump_read(rows, dump, 1000, 0, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read(rows, dump, 981, 20, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_dump_read(rows, dump, UINT64_MAX, 2, &err), SAE_E_ARGUMENT);
    sae_dump_free(dump);
}
END_TEST

START_TEST(columns_are_copied)
{
    sae_dump *dump = dump_of(view());
    static double position[ROWS], out[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        position[i] = (double)(i % 80);
    ck_assert_int_eq(sae_dump_add_column(dump, "position", position, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "labels/persona", position, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_add_column(dump, "position", position, &err), SAE_E_EXISTS);
    ck_assert_int_eq(sae_dump_add_column(dump, "", position, &err), SAE_E_ARGUMENT);
    position[3] = -1;
    ck_assert_uint_eq(sae_dump_columns(dump), 2);
    ck_assert_str_eq(sae_dump_column_name(dump, 1), "labels/persona");
    ck_assert_ptr_null(sae_dump_column_name(dump, 2));
    ck_assert(sae_dump_has_column(dump, "position"));
    ck_assert(!sae_dump_has_column(dump, "posit"));
    ck_assert_int_eq(sae_dump_read_column(out, dump, "position", &err), SAE_OK);
    for (size_t i = 0; i < ROWS; i++)
        ck_assert(out[i] == (double)(i % 80));
    ck_assert_int_eq(sae_dump_read_column(out, dump, "doc_id", &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "position, labels/persona"));
    sae_dump_free(dump);
}
END_TEST

START_TEST(refuses_what_is_no_matrix)
{
    sae_view bad[] = {{NULL, ROWS, D, D},
                      {data, 0, D, D},
                      {data, ROWS, 0, D},
                      {data, ROWS, D, D - 1},
                      {data, SIZE_MAX / 2, D, D}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sae_dump *dump = (sae_dump *)1;
        ck_assert_int_eq(sae_dump_from_rows(&dump, context, bad[i], &err), SAE_E_ARGUMENT);
        ck_assert_ptr_null(dump);
    }
    sae_dump_free(NULL);
}
END_TEST

START_TEST(counts_rows_that_are_no_numbers)
{
    data[17 * STRIDE + 2] = NAN;
    data[40 * STRIDE] = -INFINITY;
    data[41 * STRIDE + D] = NAN; /* between the rows: not ours */
    data[999 * STRIDE + D - 1] = INFINITY;
    sae_dump *dump = dump_of(view());
    float rows[50 * D];
    ck_assert_int_eq(sae_dump_read(rows, dump, 41, 50, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read(rows, dump, 40, 1, &err), SAE_E_NONFINITE);
    ck_assert_ptr_nonnull(strstr(err.text, "3 of 1000 rows hold NaN or Inf (the first is row 17)"));
    saei_dump_scan_result scan;
    ck_assert_int_eq(saei_dump_scan(&scan, dump, NULL, NULL, &err), SAE_E_NONFINITE);
    ck_assert_ptr_null(scan.mean);
    sae_dump_free(dump);
}
END_TEST

/* A large offset: E‖x‖² − ‖mean‖² would lose all digits of the variance. */
START_TEST(scan_keeps_the_variance_beside_a_large_mean)
{
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        data[i] = 65536.0f + (float)(i * 2654435761u % 17) / 256;
    sae_dump *dump = dump_of(view());
    saei_dump_scan_result scan;
    ck_assert_int_eq(saei_dump_scan(&scan, dump, NULL, NULL, &err), SAE_OK);
    /* In units of 1/256 all values are integers: the oracle is exact up to its last division. */
    double variance = 0, square = 0;
    for (size_t j = 0; j < D; j++) {
        int64_t sum = 0, sum_square = 0;
        for (size_t i = 0; i < ROWS; i++) {
            int64_t x = (int64_t)(data[i * STRIDE + j] * 256);
            sum += x;
            sum_square += x * x;
        }
        ck_assert(fabs(scan.mean[j] - (double)sum / (256.0 * ROWS)) <= 1e-10);
        int64_t mean = sum / ROWS, off = 0, off_square = 0; /* shifted, or the squares would pass 63 bits */
        for (size_t i = 0; i < ROWS; i++) {
            int64_t x = (int64_t)(data[i * STRIDE + j] * 256) - mean;
            off += x;
            off_square += x * x;
        }
        variance += (double)(ROWS * off_square - off * off) / (65536.0 * ROWS * ROWS);
        square += (double)sum_square / (65536.0 * ROWS);
    }
    ck_assert(fabs(scan.variance / variance - 1) <= 1e-9);
    ck_assert(fabs(scan.mean_square / square - 1) <= 1e-13);
    saei_free(context, scan.mean);
    sae_dump_free(dump);
}
END_TEST

START_TEST(scan_does_not_depend_on_threads)
{
    double mean[2][D], variance[2];
    char hash[2][33];
    for (unsigned t = 0; t < 2; t++) {
        sae_context_options options;
        sae_context_options_init(&options);
        options.threads = t == 0 ? 1 : 3;
        sae_context *own;
        ck_assert_int_eq(sae_context_new(&own, &options, &err), SAE_OK);
        sae_dump *dump;
        ck_assert_int_eq(sae_dump_from_rows(&dump, own, view(), &err), SAE_OK);
        saei_dump_scan_result scan;
        ck_assert_int_eq(saei_dump_scan(&scan, dump, NULL, NULL, &err), SAE_OK);
        memcpy(mean[t], scan.mean, sizeof mean[t]);
        variance[t] = scan.variance;
        memcpy(hash[t], scan.hash, sizeof scan.hash);
        saei_free(own, scan.mean);
        sae_dump_free(dump);
        sae_context_free(own);
    }
    ck_assert_mem_eq(mean[0], mean[1], sizeof mean[0]);
    ck_assert(variance[0] == variance[1]);
    ck_assert_str_eq(hash[0], hash[1]);
    ck_assert_uint_eq(strlen(hash[0]), 32);
}
END_TEST

static int stop_at_once(void *user, const char *stage, uint64_t done, uint64_t total)
{
    ck_assert_str_eq(stage, "reading rows in memory");
    ck_assert_uint_eq(done, 0);
    ck_assert_uint_eq(total, ROWS);
    ++*(int *)user;
    return 1;
}

START_TEST(scan_stops_when_asked)
{
    sae_dump *dump = dump_of(view());
    saei_dump_scan_result scan;
    int calls = 0;
    ck_assert_int_eq(saei_dump_scan(&scan, dump, stop_at_once, &calls, &err), SAE_STOPPED);
    ck_assert_int_eq(calls, 1);
    sae_dump_free(dump);
}
END_TEST

START_TEST(matches_conditions)
{
    sae_dump *dump = dump_of(view());
    static double position[ROWS];
    static bool out[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        position[i] = (double)(i % 80);
    ck_assert_int_eq(sae_dump_add_column(dump, "position", position, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_match(out, dump, "position>3 and not position=70", &err), SAE_OK);
    for (size_t i = 0; i < ROWS; i++)
        ck_assert_int_eq(out[i], i % 80 > 3 && i % 80 != 70);
    ck_assert_int_eq(sae_dump_match(out, dump, "position>", &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_dump_match(out, dump, "position>0 and doc_id=1", &err), SAE_E_NOT_FOUND);
    ck_assert_str_eq(err.text, "rows in memory: no column 'doc_id'; there are position");
    sae_dump_free(dump);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump rows");
    TCase *tests = tcase_create("rows in memory");
    tcase_add_checked_fixture(tests, setup, context_end);
    tcase_add_test(tests, reads_rows_with_a_stride);
    tcase_add_test(tests, columns_are_copied);
    tcase_add_test(tests, refuses_what_is_no_matrix);
    tcase_add_test(tests, counts_rows_that_are_no_numbers);
    tcase_add_test(tests, scan_keeps_the_variance_beside_a_large_mean);
    tcase_add_test(tests, scan_does_not_depend_on_threads);
    tcase_add_test(tests, scan_stops_when_asked);
    tcase_add_test(tests, matches_conditions);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
