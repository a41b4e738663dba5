/* The shuffled stream: its bits follow from (seed, epoch, window, position), whatever is read ahead. */
#include "dump/batches.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "dump_files.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 5000, D = 3, EPOCHS = 3 };

/* The machine's memory as the library sees it: 4 MB when little. The linker sends calls of sysconf here. */
static bool little_memory;

long __real_sysconf(int name);
long __wrap_sysconf(int name);

long __wrap_sysconf(int name)
{
    if (name == _SC_PHYS_PAGES && little_memory)
        return (4 << 20) / __real_sysconf(_SC_PAGESIZE);
    return __real_sysconf(name);
}

static float *rows;
static sae_dump *dump;

static void setup(void)
{
    context_make();
    rows = malloc(sizeof *rows * ROWS * D);
    for (size_t i = 0; i < ROWS * D; i++)
        rows[i] = (float)i;
    ck_assert_int_eq(sae_dump_from_rows(&dump, context, (sae_view){rows, ROWS, D, D}, &err), SAE_OK);
}

static void teardown(void)
{
    sae_dump_free(dump);
    free(rows);
    context_end();
}

static saei_batches *new_batches(uint64_t window_rows)
{
    saei_batches *batches;
    ck_assert_int_eq(saei_batches_new(&batches, context, dump, 0.05, 500, window_rows, 7, &err), SAE_OK);
    return batches;
}

/* The stream of some epochs, taken n rows at a time. To be freed. */
static float *take_stream(saei_batches *batches, size_t n, size_t total)
{
    float *out = malloc(sizeof *out * total * D);
    for (size_t at = 0; at < total; at += n)
        ck_assert_int_eq(saei_batches_next(out + at * D, batches, n < total - at ? n : total - at, &err),
                         SAE_OK);
    return out;
}

static size_t row_number(const float *row)
{
    ck_assert(row[1] == row[0] + 1 && row[2] == row[0] + 2);
    return (size_t)row[0] / D;
}

START_TEST(call_sizes_do_not_matter)
{
    for (uint64_t window = 50; window < 2 * ROWS; window += window / 2) {
        saei_batches *a = new_batches(window), *b = new_batches(window), *c = new_batches(window);
        size_t total = EPOCHS * (size_t)saei_batches_rows(a);
        float *x = take_stream(a, 1, total), *y = take_stream(b, 37, total),
              *z = take_stream(c, total, total);
        ck_assert_int_eq(memcmp(x, y, total * D * sizeof *x), 0);
        ck_assert_int_eq(memcmp(x, z, total * D * sizeof *x), 0);
        free(x);
        free(y);
        free(z);
        saei_batches_free(a);
        saei_batches_free(b);
        saei_batches_free(c);
    }
}
END_TEST

/* A window is made of whole blocks, given out in another order: its rows lie in few places of the dump. */
START_TEST(an_epoch_is_made_of_windows_of_blocks)
{
    saei_batches *batches = new_batches(1000);
    size_t total = (size_t)saei_batches_rows(batches);
    float *x = take_stream(batches, 100, total);
    unsigned char seen[ROWS] = {0};
    size_t first_of_next = 0;
    for (size_t i = 0; i < total; i++)
        ck_assert_int_eq(seen[row_number(x + i * D)]++, 0);
    for (size_t i = 1; i < total; i++)
        first_of_next += row_number(x + i * D) == row_number(x + (i - 1) * D) + 1;
    ck_assert_uint_lt(first_of_next, total / 50);
    saei_batches_seek(batches, (saei_batches_state){1, 0, 0}, &err);
    float *y = take_stream(batches, 100, total);
    ck_assert_int_ne(memcmp(x, y, total * D * sizeof *x), 0);
    free(x);
    free(y);
    saei_batches_free(batches);
}
END_TEST

START_TEST(seeking_to_any_place)
{
    const uint64_t windows[] = {200, 1500, 2 * ROWS};
    for (size_t w = 0; w < 3; w++) {
        saei_batches *batches = new_batches(windows[w]);
        size_t total = EPOCHS * (size_t)saei_batches_rows(batches), n = 0;
        float *x = malloc(sizeof *x * total * D), y[50 * D];
        saei_batches_state places[2 * ROWS];
        for (size_t at = 0; at + 50 <= total; at += 50) {
            places[n++] = saei_batches_tell(batches);
            ck_assert_int_eq(saei_batches_next(x + at * D, batches, 50, &err), SAE_OK);
        }
        for (size_t i = 0, which = 1; i < 300; i++) {
            which = (which * 48271 + i) % n;
            ck_assert_int_eq(saei_batches_seek(batches, places[which], &err), SAE_OK);
            for (size_t more = 0; more < i % 4 && which + more < n; more++) {
                ck_assert_int_eq(saei_batches_next(y, batches, 50, &err), SAE_OK);
                ck_assert_int_eq(memcmp(y, x + (which + more) * 50 * D, sizeof y), 0);
            }
        }
        ck_assert_int_eq(saei_batches_seek(batches, (saei_batches_state){0, 1000, 0}, &err), SAE_E_MISMATCH);
        ck_assert_int_eq(saei_batches_seek(batches, (saei_batches_state){0, 0, ROWS + 1}, &err),
                         SAE_E_MISMATCH);
        ck_assert_int_eq(saei_batches_seek(batches, places[1], &err), SAE_OK);
        ck_assert_int_eq(saei_batches_next(y, batches, 50, &err), SAE_OK);
        ck_assert_int_eq(memcmp(y, x + 50 * D, sizeof y), 0);
        free(x);
        saei_batches_free(batches);
    }
}
END_TEST

/* A run that is resumed gives back the window of the checkpoint. */
START_TEST(the_window_reported_replays_the_run)
{
    for (uint64_t window = 1; window < 2 * ROWS; window += 1 + window / 7) {
        saei_batches *a = new_batches(window), *b = new_batches(saei_batches_window_rows(a));
        size_t total = EPOCHS * (size_t)saei_batches_rows(a);
        ck_assert_uint_eq(saei_batches_window_rows(b), saei_batches_window_rows(a));
        float *x = take_stream(a, 500, total), *y = take_stream(b, 333, total);
        ck_assert_int_eq(memcmp(x, y, total * D * sizeof *x), 0);
        free(x);
        free(y);
        saei_batches_free(a);
        saei_batches_free(b);
    }
}
END_TEST

START_TEST(memory_stays_within_the_window)
{
    for (uint64_t window = 800; window < ROWS * 9 / 10; window += 300) {
        uint64_t before = sae_context_memory_used(context);
        saei_batches *batches = new_batches(window);
        const uint64_t small = 4096; /* the list of blocks, and what no row costs */
        ck_assert_uint_le(sae_context_memory_used(context) - before,
                          window * (D * sizeof(float) + sizeof(uint64_t)) + small);
        ck_assert_uint_le(saei_batches_window_rows(batches), window);
        saei_batches_free(batches);
    }
}
END_TEST

START_TEST(reading_allocates_nothing)
{
    saei_batches *batches = new_batches(700);
    uint64_t used = sae_context_memory_used(context);
    free(take_stream(batches, 100, 2 * ROWS));
    ck_assert_uint_eq(sae_context_memory_used(context), used);
    saei_batches_free(batches);
}
END_TEST

/* A block that cannot be read fails the call that needs its window, and none before; once it is whole again
   the stream goes on. */
START_TEST(a_failure_ahead_is_told_when_its_rows_are_due)
{
    saei_batches *batches = new_batches(1000);
    size_t total = (size_t)saei_batches_rows(batches);
    float *x = take_stream(batches, 10, total), out[10 * D];
    size_t due = total - 15, bad = row_number(x + due * D);
    ck_assert_int_eq(saei_batches_seek(batches, (saei_batches_state){0, 0, 0}, &err), SAE_OK);
    rows[bad * D + 1] = INFINITY;
    size_t at = 0;
    sae_status status = SAE_OK;
    for (; at < total; at += 10) {
        status = saei_batches_next(out, batches, 10, &err);
        if (status != SAE_OK)
            break;
        ck_assert_int_eq(memcmp(out, x + at * D, sizeof out), 0);
    }
    ck_assert_int_eq(status, SAE_E_NONFINITE);
    ck_assert_uint_le(at, due);
    ck_assert_uint_ge(at + 1000, due);
    ck_assert_int_eq(saei_batches_next(out, batches, 10, &err), SAE_E_NONFINITE);
    rows[bad * D + 1] = (float)(bad * D + 1);
    saei_batches_state place = saei_batches_tell(batches);
    ck_assert_uint_eq(place.position, 0);
    ck_assert_int_eq(saei_batches_next(out, batches, 10, &err), SAE_OK);
    saei_batches *again = new_batches(1000);
    float expected[10 * D];
    ck_assert_int_eq(saei_batches_seek(again, place, &err), SAE_OK);
    ck_assert_int_eq(saei_batches_next(expected, again, 10, &err), SAE_OK);
    ck_assert_int_eq(memcmp(out, expected, sizeof out), 0);
    free(x);
    saei_batches_free(again);
    saei_batches_free(batches);
}
END_TEST

/* Held-out rows are read while the next window is. */
START_TEST(held_out_rows_beside_the_stream)
{
    saei_batches *batches = new_batches(600);
    size_t held = (size_t)saei_batches_heldout_rows(batches);
    ck_assert_uint_gt(held, 0);
    float *first = malloc(sizeof *first * held * D), *again = malloc(sizeof *again * held * D), out[100 * D];
    ck_assert_int_eq(saei_batches_read_heldout(first, batches, 0, held, &err), SAE_OK);
    for (int i = 0; i < 60; i++) {
        ck_assert_int_eq(saei_batches_next(out, batches, 100, &err), SAE_OK);
        ck_assert_int_eq(saei_batches_read_heldout(again, batches, 0, held, &err), SAE_OK);
        ck_assert_int_eq(memcmp(first, again, sizeof *first * held * D), 0);
    }
    free(first);
    free(again);
    saei_batches_free(batches);
}
END_TEST

/* At any moment of the reading. */
START_TEST(freeing_while_it_reads)
{
    float out[64 * D];
    for (size_t calls = 0; calls < 200; calls++) {
        saei_batches *batches = new_batches(400 + 10 * calls);
        for (size_t i = 0; i < calls % 40; i++)
            ck_assert_int_eq(saei_batches_next(out, batches, 64, &err), SAE_OK);
        saei_batches_free(batches);
    }
}
END_TEST

/* Files that the page cache would not keep are read past it, with a block of memory for that. */
START_TEST(files_larger_than_memory)
{
    enum { N = 20000, WIDTH = 128, WINDOW = 8000, TOTAL = 2 * N, STEP = 500, BLOCK = 1 << 20 };
    float *values = malloc(sizeof *values * N * WIDTH), step[2][STEP * WIDTH];
    for (size_t i = 0; i < N * WIDTH; i++)
        values[i] = (float)i;
    temp_folder_make();
    write_npy("rows.npy", "<f4", "(20000, 128)", values, sizeof *values * N * WIDTH);
    const char *path = temp_path("rows.npy");
    sae_dump *file;
    saei_batches *batches[2];
    uint64_t used[2];
    ck_assert_int_eq(sae_dump_open(&file, context, &path, 1, NULL, &err), SAE_OK);
    for (int little = 0; little < 2; little++) {
        little_memory = little;
        uint64_t before = sae_context_memory_used(context);
        ck_assert_int_eq(saei_batches_new(&batches[little], context, file, 0.05, 500, WINDOW, 7, &err),
                         SAE_OK);
        used[little] = sae_context_memory_used(context) - before;
    }
    little_memory = false;
    ck_assert_uint_ge(used[1], used[0] + BLOCK);
    for (size_t at = 0; at < TOTAL; at += STEP) {
        for (int little = 0; little < 2; little++)
            ck_assert_int_eq(saei_batches_next(step[little], batches[little], STEP, &err), SAE_OK);
        ck_assert_int_eq(memcmp(step[0], step[1], sizeof step[0]), 0);
        for (size_t i = 0; i < STEP; i++)
            ck_assert_int_eq(
                memcmp(step[0] + i * WIDTH, values + (size_t)step[0][i * WIDTH], WIDTH * sizeof **step), 0);
    }
    for (int little = 0; little < 2; little++)
        saei_batches_free(batches[little]);
    sae_dump_free(file);
    temp_folder_remove();
    free(values);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batches");
    TCase *tests = tcase_create("batches");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, call_sizes_do_not_matter);
    tcase_add_test(tests, an_epoch_is_made_of_windows_of_blocks);
    tcase_add_test(tests, seeking_to_any_place);
    tcase_add_test(tests, the_window_reported_replays_the_run);
    tcase_add_test(tests, memory_stays_within_the_window);
    tcase_add_test(tests, reading_allocates_nothing);
    tcase_add_test(tests, a_failure_ahead_is_told_when_its_rows_are_due);
    tcase_add_test(tests, held_out_rows_beside_the_stream);
    tcase_add_test(tests, freeing_while_it_reads);
    tcase_add_test(tests, files_larger_than_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
