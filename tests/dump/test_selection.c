/* Bitmap selections against a list of kept rows. */
#include "base/rng.h"
#include "dump/selection.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

enum { ROWS_MAX = 5000 };

static void check_against(const saei_selection *selection, const bool *kept)
{
    uint64_t total = selection->total, count = 0, next = total, run = 0;
    for (uint64_t row = 0; row < total; row++)
        if (kept[row])
            ck_assert_uint_eq(saei_selection_at(selection, count++), row);
    ck_assert_uint_eq(selection->count, count);
    ck_assert_uint_eq(saei_selection_next(selection, total), total);
    for (uint64_t row = total; row-- > 0;) {
        run = kept[row] ? run + 1 : 0;
        next = kept[row] ? row : next;
        ck_assert_uint_eq(saei_selection_next(selection, row), next);
        ck_assert_uint_eq(saei_selection_run(selection, row, total - row), run);
        ck_assert_uint_eq(saei_selection_run(selection, row, (total - row) / 2),
                          run < (total - row) / 2 ? run : (total - row) / 2);
    }
}

START_TEST(finds_the_rows_that_were_kept)
{
    static bool kept[ROWS_MAX];
    const uint64_t totals[] = {1, 63, 64, 65, 511, 512, 513, 1024, ROWS_MAX};
    const double density[] = {0, 0.002, 0.1, 0.5, 0.98, 1};
    saei_rng rng = saei_rng_new(1, SAEI_STREAM_ROWS, 0);
    for (size_t t = 0; t < sizeof totals / sizeof *totals; t++)
        for (size_t p = 0; p < sizeof density / sizeof *density; p++) {
            saei_selection selection = saei_selection_all(totals[t]);
            ck_assert_int_eq(saei_selection_allocate(&selection, context, p % 2 == 1, &err), SAE_OK);
            for (uint64_t row = 0; row < totals[t]; row++) {
                kept[row] = saei_rng_uniform(&rng) < density[p];
                saei_selection_set(&selection, row, kept[row]);
            }
            saei_selection_count(&selection);
            check_against(&selection, kept);
            saei_selection_free(&selection, context);
        }
}
END_TEST

START_TEST(all_rows_need_no_bitmap)
{
    static bool kept[ROWS_MAX];
    for (size_t i = 0; i < ROWS_MAX; i++)
        kept[i] = true;
    saei_selection selection = saei_selection_all(1000), other = saei_selection_all(1000);
    check_against(&selection, kept);
    ck_assert_ptr_null(selection.bits);
    ck_assert_int_eq(saei_selection_allocate(&selection, context, true, &err), SAE_OK);
    saei_selection_count(&selection);
    check_against(&selection, kept);
    ck_assert_int_eq(saei_selection_allocate(&other, context, false, &err), SAE_OK);
    for (uint64_t row = 0; row < 1000; row += 7) {
        saei_selection_set(&other, row, true);
        kept[row] = false;
    }
    saei_selection_subtract(&selection, &other);
    saei_selection_count(&selection);
    check_against(&selection, kept);
    saei_selection_free(&selection, context);
    saei_selection_free(&other, context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selection");
    TCase *tests = tcase_create("bitmap");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, finds_the_rows_that_were_kept);
    tcase_add_test(tests, all_rows_need_no_bitmap);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
