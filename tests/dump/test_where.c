/* The grammar of conditions: what it accepts, what it means, what it refuses. */
#include "dump/where.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The one row that the good conditions are tried on. */
static double value_of(const char *column)
{
    static const struct {
        const char *name;
        double value;
    } row[] = {{"a", 1},     {"b", 2},   {"labels/region", 3}, {"x-1.y", -2.5},
               {"nan", NAN}, {"2nd", 7}, {"note", 0},          {"A", 9}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strcmp(row[i].name, column) == 0)
            return row[i].value;
    ck_abort_msg("no column '%s'", column);
}

static int holds(const char *condition)
{
    saei_where *where;
    ck_assert_msg(saei_where_parse(&where, context, condition, &err) == SAE_OK, "%s", err.text);
    double values[8], *columns[8];
    ck_assert_uint_le(saei_where_columns(where), 8);
    for (size_t i = 0; i < saei_where_columns(where); i++) {
        values[i] = value_of(saei_where_column(where, i));
        columns[i] = &values[i];
    }
    unsigned char out = 2;
    saei_where_evaluate(&out, where, columns, 1);
    saei_where_free(where);
    return out;
}

static const struct {
    const char *condition;
    int holds;
} good[] = {
    {"a=1", 1},
    {"a==1", 1},
    {"a = 2", 0},
    {"a!=1", 0},
    {"a != 2", 1},
    {"a<1", 0},
    {"a<=1", 1},
    {"a>1", 0},
    {"a>=1", 1},
    {" \ta\n=\r1 ", 1},
    {"a=1 and b=2", 1},
    {"a=1 and b=3", 0},
    {"a=1and b=2", 1},
    {"a=0 or b=2", 1},
    {"a=0||b=0", 0},
    {"a=1&&b=2", 1},
    {"A=9", 1}, /* names are case-sensitive */
    {"not a=1", 0},
    {"not not a=1", 1},
    {"!a=2", 1},
    {"!(a=1)", 0},
    {"not(a=2)", 1},
    {"NOT a=2 AND b=2 Or a=5", 1},
    /* `and` binds closer than `or`, `not` closer than both */
    {"a=1 or a=1 and a=2", 1},
    {"(a=1 or a=1) and a=2", 0},
    {"a=2 and a=1 or a=1", 1},
    {"a=2 and (a=1 or a=1)", 0},
    {"not a=2 or a=1 and a=2", 1},
    {"not (a=2 or a=1) and a=1", 0},
    {"((((a=1))))", 1},
    {"labels/region=3 or not (b>=10)", 1},
    {"labels/region!=3", 0},
    {"x-1.y=-2.5", 1},
    {"x-1.y<-2.4999", 1},
    {"x-1.y<-.25e1", 0},
    {"x-1.y<=-25e-1", 1},
    {"a=+1.", 1},
    {"a=1E0", 1},
    {"a=0.1e+1", 1},
    {"2nd=7", 1},
    {"note=0", 1}, /* begins with `not` */
    {"a<1e308", 1},
    {"a>1e-999", 1}, /* underflows to 0 */
    {"nan=1", 0},
    {"nan<1", 0},
    {"nan>=1", 0},
    {"nan!=1", 1},
    {"not nan=1", 1},
};

START_TEST(means_what_it_says)
{
    ck_assert_msg(holds(good[_i].condition) == good[_i].holds, "%s", good[_i].condition);
}
END_TEST

static const struct {
    const char *condition;
    int character;
    const char *reason;
} bad[] = {
    {"", 1, "expected a column, 'not' or '(', but the condition ends here"},
    {"   ", 4, "but the condition ends here"},
    {"a", 2, "expected one of = != < <= > >=, but the condition ends here"},
    {"a b", 3, "expected one of = != < <= > >=, not 'b'"},
    {"a=", 3, "expected a number, but the condition ends here"},
    {"a=b", 3, "expected a number, not 'b'"},
    {"a===1", 4, "expected a number, not '=1'"},
    {"a=>1", 3, "expected a number, not '>1'"},
    {"a<>1", 3, "expected a number"},
    {"a=1 b=2", 5, "expected 'and', 'or' or the end, not 'b=2'"},
    {"a=1 and", 8, "expected a column"},
    {"a=1 and and b=2", 9, "expected a column"},
    {"or a=1", 1, "expected a column"},
    {"not", 4, "expected a column"},
    {"a=1)", 4, "expected 'and', 'or' or the end"},
    {"(a=1", 1, "this parenthesis is not closed"},
    {"a=1 and (b=2 or (a=1)", 9, "this parenthesis is not closed"},
    {"(a=1 b=2)", 6, "expected 'and', 'or' or ')'"},
    {"()", 2, "expected a column"},
    {"a=1 & b=2", 5, "expected 'and', 'or' or the end"},
    {"a=0x10", 3, "expected a decimal number"},
    {"a=nan", 3, "expected a number"},
    {"a=inf", 3, "expected a number"},
    {"a=1e999", 3, "too large a number"},
    {"a=-", 3, "expected a number"},
    {"a=.", 3, "expected a number"},
    {"a=1e", 4, "expected 'and', 'or' or the end"},
    {"a=1,5", 4, "expected 'and', 'or' or the end"},
    {"1<a<2", 3, "expected a number, not 'a<2'"},
    {"a='x'", 3, "expected a number"},
    {"\xc3\xa4=1", 1, "expected a column"},
};

START_TEST(tells_where_the_mistake_is)
{
    saei_where *where = (saei_where *)1;
    ck_assert_int_eq(saei_where_parse(&where, context, bad[_i].condition, &err), SAE_E_ARGUMENT);
    char start[32];
    snprintf(start, sizeof start, "character %d of the condition", bad[_i].character);
    ck_assert_ptr_null(where);
    ck_assert_msg(strncmp(err.text, start, strlen(start)) == 0, "%s: %s", bad[_i].condition, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].reason) != NULL, "%s: %s", bad[_i].condition, err.text);
}
END_TEST

START_TEST(depth_is_bounded)
{
    enum { DEEP = 200000 };
    static char condition[2 * DEEP + 8];
    saei_where *where;
    memset(condition, '(', DEEP);
    strcpy(condition + DEEP, "a=1");
    ck_assert_int_eq(saei_where_parse(&where, context, condition, &err), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "within each other"));
    memset(condition, '!', DEEP);
    ck_assert_int_eq(saei_where_parse(&where, context, condition, &err), SAE_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.text, "within each other"));
    memset(condition, 0, sizeof condition);
    for (int i = 0; i < SAEI_WHERE_DEPTH_MAX - 1; i++)
        strcat(condition, "(b=0 or a=1 and ");
    strcat(condition, "a=1");
    for (int i = 0; i < SAEI_WHERE_DEPTH_MAX - 1; i++)
        strcat(condition, ")");
    ck_assert_int_eq(holds(condition), 1);
}
END_TEST

START_TEST(long_chains_are_fine)
{
    enum { TERMS = 10000 };
    static char condition[TERMS * 16];
    size_t used = 0;
    for (int i = 0; i < TERMS; i++)
        used +=
            (size_t)snprintf(condition + used, sizeof condition - used, "%sb=%d", i > 0 ? " or " : "", i + 3);
    ck_assert_int_eq(holds(condition), 0);
    strcpy(condition + used, " or b=2");
    ck_assert_int_eq(holds(condition), 1);
}
END_TEST

START_TEST(the_locale_has_no_say)
{
    /* Not every machine has the locale; where it is missing this only repeats a good case. */
    setlocale(LC_NUMERIC, "de_DE.UTF-8");
    ck_assert_int_eq(holds("x-1.y=-2.5"), 1);
    setlocale(LC_NUMERIC, "C");
}
END_TEST

START_TEST(columns_are_listed_once)
{
    saei_where *where;
    ck_assert_int_eq(saei_where_parse(&where, context, "b=1 or (a=2 and b!=3) or ab>4", &err), SAE_OK);
    ck_assert_uint_eq(saei_where_columns(where), 3);
    ck_assert_str_eq(saei_where_column(where, 0), "b");
    ck_assert_str_eq(saei_where_column(where, 1), "a");
    ck_assert_str_eq(saei_where_column(where, 2), "ab");
    saei_where_free(where);
}
END_TEST

START_TEST(many_rows_are_evaluated_alike)
{
    enum { ROWS = 5000 };
    static double a[ROWS], b[ROWS];
    static unsigned char out[ROWS];
    for (int i = 0; i < ROWS; i++) {
        a[i] = i % 7;
        b[i] = i % 11;
    }
    saei_where *where;
    double *columns[] = {a, b};
    ck_assert_int_eq(saei_where_parse(&where, context, "a>2 and not (b<=4 or a=5)", &err), SAE_OK);
    saei_where_evaluate(out, where, columns, ROWS);
    for (int i = 0; i < ROWS; i++)
        ck_assert_int_eq(out[i], a[i] > 2 && !(b[i] <= 4 || a[i] == 5));
    saei_where_free(where);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("where");
    TCase *tests = tcase_create("grammar");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, means_what_it_says, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, tells_where_the_mistake_is, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, long_chains_are_fine);
    tcase_add_test(tests, the_locale_has_no_say);
    tcase_add_test(tests, columns_are_listed_once);
    tcase_add_test(tests, many_rows_are_evaluated_alike);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
