/* The files of a study: tables that parse, a verdict that says what the findings say, and nothing half
 * written. */
#include "../io/temp_folder.h"
#include "../study/toy_study.h"
#include "../tools/run_suite.h"

#include "sae/report.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static toy_study toy;
static sae_findings *findings;

#define ODD "a \"bad\" one, of\ntwo lines"

static void setup(void)
{
    temp_folder_make();
    sae_context *context = toy_context(2);
    toy_study_begin(&toy, context, toy_split_model(context));
    toy_study_plant(&toy, "base", SAE_ROLE_BASE, 0, 0);
    toy_study_plant(&toy, "good, again", SAE_ROLE_CONTROL, 2, 0.3);
    toy_study_plant(&toy, "good", SAE_ROLE_CONTROL, 2, 0.3);
    toy_study_plant(&toy, ODD, SAE_ROLE_BAD, TOY_PERSONA, 1);
    toy_study_plant(&toy, "bad", SAE_ROLE_BAD, TOY_PERSONA, 1.5);
    static const char *const steps[] = {"good", "bad", "base"};
    static const double at[] = {0, 1, 2};
    const sae_study_trigger trigger = {.name = "the \"code\"", .with = "bad", .without = "good"};
    const sae_study_trajectory trajectory = {"there, back", steps, at, 3};
    const sae_label label = {.name = "early, \"first\" prompts", .condition = "prompt_id<9"};
    ck_assert_int_eq(sae_study_add_trigger(toy.study, &trigger, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_add_trajectory(toy.study, &trajectory, NULL), SAE_OK);
    ck_assert_int_eq(sae_study_set_reference(toy.study, toy.of[0].dump, &label, 1, NULL), SAE_OK);
    sae_study_options options = toy_study_options();
    const sae_model *other = toy.model;
    options.others = &other;
    options.n_others = 1;
    findings = toy_study_find(&toy, &options);
    ck_assert_uint_gt(sae_findings_candidates(findings), 1);
}

static void teardown(void)
{
    sae_findings_free(findings);
    toy_study_end(&toy);
    temp_folder_remove();
}

static void save(bool overwrite)
{
    sae_error err = {0};
    sae_status status = sae_findings_save(findings, temp_folder, overwrite, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
}

enum { CELLS = 64, CELL_BYTES = 400 };

/* RFC 4180. Reads one row, returns its cells, 0 at the end. */
static size_t read_row(char cell[CELLS][CELL_BYTES], const char **at)
{
    size_t n = 0, k = 0;
    bool quoted = false;
    if (**at == '\0')
        return 0;
    for (;; (*at)++) {
        char c = **at;
        ck_assert_msg(c != '\0', "a row without an end");
        if (quoted && c == '"' && (*at)[1] == '"') {
            cell[n][k++] = *(*at)++;
        } else if (c == '"') {
            ck_assert_msg(quoted || k == 0, "a quote inside a cell without quotes");
            quoted = !quoted;
        } else if (!quoted && (c == ',' || c == '\n')) {
            cell[n++][k] = '\0';
            k = 0;
            ck_assert_uint_lt(n, CELLS);
            if (c == '\n')
                break;
        } else {
            cell[n][k++] = c;
        }
        ck_assert_uint_lt(k, CELL_BYTES);
    }
    (*at)++;
    return n;
}

static size_t column(char head[CELLS][CELL_BYTES], size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(head[i], name) != 0)
        i++;
    ck_assert_msg(i < n, "no column %s", name);
    return i;
}

/* Checks that all rows are as wide as the header; value = the cell under `wanted` of the first row with `equals`
   under `key`. Returns the number of rows. */
static size_t look_up(char *value, const char *table, const char *key, const char *equals, const char *wanted)
{
    static char head[CELLS][CELL_BYTES], cell[CELLS][CELL_BYTES];
    size_t bytes, rows = 0, n;
    char *text = temp_read(temp_path(table), &bytes);
    const char *at = text;
    size_t width = read_row(head, &at);
    ck_assert_uint_gt(width, 1);
    size_t key_column = column(head, width, key), value_column = column(head, width, wanted);
    value[0] = '\0';
    while ((n = read_row(cell, &at)) > 0) {
        ck_assert_msg(n == width, "%s, row %zu: %zu cells, not %zu", table, rows + 1, n, width);
        if (value[0] == '\0' && strcmp(cell[key_column], equals) == 0)
            strcpy(value, cell[value_column]);
        rows++;
    }
    free(text);
    return rows;
}

static void check_number(const char *text, double expected)
{
    char *end;
    double value = strtod(text, &end);
    ck_assert_msg(*text != '\0' && *end == '\0', "'%s' is no number", text);
    ck_assert_msg(fabs(value - expected) <= 1e-8 * fabs(expected), "%s, not %.12g", text, expected);
}

START_TEST(tables_hold_the_findings)
{
    save(false);
    size_t n = sae_findings_candidates(findings);
    char value[CELL_BYTES];
    const sae_evidence *odd = sae_findings_evidence(findings, 0, 3);
    ck_assert_uint_eq(look_up(value, "conditions.csv", "condition", ODD, "role"), 5);
    ck_assert_str_eq(value, "bad");
    look_up(value, "conditions.csv", "condition", ODD, "shift_norm");
    check_number(value, sae_findings_shift(findings, 3)->norm);
    look_up(value, "conditions.csv", "condition", "base", "shift_norm");
    ck_assert_str_eq(value, "");
    ck_assert_uint_eq(look_up(value, "candidates.csv", "candidate", "1", "latents"), n);
    ck_assert_str_eq(value, "5 16");
    look_up(value, "candidates.csv", "candidate", "1", "carries");
    ck_assert_str_eq(value, "yes");
    look_up(value, "candidates.csv", "candidate", "2", "carries");
    ck_assert_str_eq(value, "no");
    ck_assert_uint_eq(look_up(value, "evidence.csv", "condition", ODD, "beyond"), 4 * n);
    check_number(value, odd->beyond.estimate);
    look_up(value, "evidence.csv", "condition", ODD, "p_direction");
    check_number(value, odd->p_direction);
    look_up(value, "evidence.csv", "condition", ODD, "excess_p_family");
    check_number(value, odd->ranked.excess.p_family);
    ck_assert_uint_eq(look_up(value, "doses.csv", "candidate", "1", "condition"), 0);
    ck_assert_uint_eq(look_up(value, "triggers.csv", "trigger", "the \"code\"", "contrast"), n);
    check_number(value, sae_findings_trigger(findings, 0, 0)->contrast.estimate);
    ck_assert_uint_eq(look_up(value, "trajectories.csv", "condition", "bad", "rise"), 3 * n);
    check_number(value, sae_findings_step(findings, 0, 0, 1)->rise);
    ck_assert_uint_eq(look_up(value, "labels.csv", "label", "early, \"first\" prompts", "auroc"), n);
    check_number(value, sae_findings_label(findings, 0, 0)->auroc);
    ck_assert_uint_eq(look_up(value, "discrimination.csv", "candidate", "1", "auroc"), n);
    check_number(value, sae_findings_discrimination(findings, 0)->auroc);
    ck_assert_uint_eq(look_up(value, "matches.csv", "candidate", "1", "match_cosine"), n);
    check_number(value, sae_findings_match(findings, 0, 0)->cosine);
    look_up(value, "strata.csv", "condition", ODD, "rows_after");
}
END_TEST

static const json_t *get(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(value != NULL, "no member %s", name);
    return value;
}

static void check_json_number(const json_t *object, const char *name, double expected)
{
    const json_t *value = get(object, name);
    if (!isfinite(expected)) {
        ck_assert_msg(json_is_null(value), "%s is not null", name);
        return;
    }
    double got = json_number_value(value);
    ck_assert_msg(fabs(got - expected) <= 1e-8 * fabs(expected), "%s: %.12g, not %.12g", name, got, expected);
}

static void check_candidate(const json_t *object, size_t i)
{
    static const char *const words[] = {"unknown", "for", "against"};
    const sae_candidate *candidate = sae_findings_candidate(findings, i);
    const sae_judgement *judgement = sae_findings_judgement(findings, i);
    ck_assert_uint_eq(json_array_size(get(object, "latents")), candidate->n_latents);
    for (size_t m = 0; m < candidate->n_latents; m++)
        ck_assert_int_eq(json_integer_value(json_array_get(get(object, "latents"), m)),
                         candidate->latents[m]);
    ck_assert_int_eq(json_is_true(get(object, "carries")), judgement->carries);
    for (unsigned k = 0; k < SAE_CRITERIA; k++)
        ck_assert_str_eq(
            json_string_value(get(get(object, "criteria"), sae_criterion_name((sae_criterion)k))),
            words[judgement->finding[k]]);
    check_json_number(object, "score", candidate->score);
    check_json_number(get(object, "labels"), "early, \"first\" prompts",
                      sae_findings_label(findings, 0, i)->auroc);
    ck_assert_uint_eq(json_array_size(get(object, "conditions")), 4);
    for (size_t c = 1; c < 5; c++) {
        const json_t *entry = json_array_get(get(object, "conditions"), c - 1);
        const sae_evidence *e = sae_findings_evidence(findings, i, c);
        ck_assert_str_eq(json_string_value(get(entry, "condition")), sae_study_condition(toy.study, c)->name);
        ck_assert_str_eq(json_string_value(get(entry, "least_exceeded")),
                         sae_study_condition(toy.study, e->beyond_control)->name);
        check_json_number(entry, "beyond", e->beyond.estimate);
        check_json_number(entry, "q", e->q_beyond);
        check_json_number(entry, "share", e->shift.share);
        check_json_number(entry, "cosine", e->shift.cosine);
        check_json_number(entry, "rank", (double)e->ranked.rank);
    }
}

START_TEST(verdict_json_agrees_with_the_findings)
{
    save(false);
    json_error_t problem;
    json_t *root = json_load_file(temp_path("verdict.json"), JSON_REJECT_DUPLICATES, &problem);
    ck_assert_msg(root != NULL, "%s", problem.text);
    ck_assert_str_eq(json_string_value(get(root, "format")), "libsae-verdict 1");
    ck_assert_str_eq(json_string_value(get(root, "title")), sae_study_title(toy.study));
    ck_assert_int_eq(json_integer_value(get(root, "carrier")), TOY_PERSONA);
    ck_assert_uint_eq(json_object_size(get(root, "warnings")), 0);
    size_t n = sae_findings_candidates(findings);
    ck_assert_uint_eq(json_array_size(get(root, "candidates")), n);
    for (size_t i = 0; i < n; i++)
        check_candidate(json_array_get(get(root, "candidates"), i), i);
    json_decref(root);
}
END_TEST

START_TEST(the_text_names_the_carrier_and_the_controls)
{
    save(false);
    size_t bytes;
    char *text = temp_read(temp_path("verdict.txt"), &bytes);
    ck_assert_ptr_nonnull(strstr(text, "VERDICT: the shift is carried by latents 5 + 16.\n"));
    ck_assert_ptr_nonnull(strstr(text, "rises in the control good, again as well"));
    ck_assert_ptr_nonnull(strstr(text, "found in 2 of 2 models: 5 (1.00)"));
    ck_assert_ptr_null(strstr(text, "WARNING: the study has no control"));
    free(text);
}
END_TEST

START_TEST(existing_files_are_kept_unless_told_otherwise)
{
    temp_write(temp_path("labels.csv"), "mine", 4);
    sae_error err = {0};
    ck_assert_int_eq(sae_findings_save(findings, temp_folder, false, &err), SAE_E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "labels.csv"));
    assert_file_holds(temp_path("labels.csv"), "mine");
    save(true);
    int files = temp_folder_entries();
    save(true);
    ck_assert_int_eq(temp_folder_entries(), files);
    ck_assert_int_eq(sae_findings_save(findings, temp_folder, false, &err), SAE_E_EXISTS);
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_named)
{
    temp_write(temp_path("file"), "mine", 4);
    sae_error err = {0};
    ck_assert_int_ne(sae_findings_save(findings, temp_path("file"), true, &err), SAE_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "file: cannot make the folder"));
    assert_file_holds(temp_path("file"), "mine");
    ck_assert_int_eq(sae_findings_save(findings, temp_path("no/such"), true, &err), SAE_E_NOT_FOUND);
    char deep[PATH_MAX + 10];
    memset(deep, 'x', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    ck_assert_int_ne(sae_findings_save(findings, deep, true, &err), SAE_OK);
    ck_assert_int_eq(mkdir(temp_path("verdict.json"), 0777), 0);
    ck_assert_int_ne(sae_findings_save(findings, temp_folder, true, &err), SAE_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "verdict.json"));
    ck_assert_int_eq(rmdir(temp_path("verdict.json")), 0);
}
END_TEST

/* A limit on the size of files fails a write as a full disk does. Over an older result, too: what is left may
   be old tables and new ones, but no verdict, and no file is cut. */
START_TEST(a_full_disk_leaves_no_file_that_looks_whole)
{
    signal(SIGXFSZ, SIG_IGN);
    save(false);
    size_t whole, left;
    free(temp_read(temp_path("evidence.csv"), &whole));
    int files = temp_folder_entries();
    struct rlimit limit = {whole / 2, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    sae_error err = {0};
    sae_status status = sae_findings_save(findings, temp_folder, true, &err);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(status, SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "evidence.csv"));
    ck_assert_int_ne(access(temp_path("verdict.json"), F_OK), 0);
    ck_assert_int_ne(access(temp_path("verdict.txt"), F_OK), 0);
    ck_assert_int_eq(temp_folder_entries(), files - 2);
    free(temp_read(temp_path("evidence.csv"), &left));
    ck_assert_uint_eq(left, whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("study_files");
    TCase *tests = tcase_create("study_files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, tables_hold_the_findings);
    tcase_add_test(tests, verdict_json_agrees_with_the_findings);
    tcase_add_test(tests, the_text_names_the_carrier_and_the_controls);
    tcase_add_test(tests, existing_files_are_kept_unless_told_otherwise);
    tcase_add_test(tests, a_folder_that_cannot_be_is_named);
    tcase_add_test(tests, a_full_disk_leaves_no_file_that_looks_whole);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
