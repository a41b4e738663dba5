#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include "base/rng.h"
#include "study/study.h"

#include <math.h>

#define HEAD "{\"format\": \"libsae-study 1\", \"title\": \"t\", "
#define CONDITION(name, role, more) \
    "{\"name\": \"" name "\", \"dump\": \"rows.npy\", \"role\": \"" role "\"" more "}"
#define BASE CONDITION("base", "base", "")
#define BAD \
    CONDITION("bad", "bad", ", \"dose\": 1, \"behaviour\": 0.5, \"samples\": 20, \"controls\": [\"good\"]")
#define GOOD CONDITION("good", "control", ", \"dose\": 0, \"meaning\": \"nothing\", \"domain\": \"health\"")
#define LABEL(more) "{\"name\": \"x\", \"condition\": \"y=1\"" more "}"
#define THREE "\"conditions\": [" BASE "," BAD "," GOOD "]"

static void setup(void)
{
    temp_folder_make();
    context_make();
    /* A 2 x 2 float32 matrix of zeros. */
    static const char npy[] = "\x93NUMPY\x01\x00\x46\x00"
                              "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }          \n"
                              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    temp_write(temp_path("rows.npy"), npy, sizeof npy);
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

static sae_status load(sae_study **study, const char *text)
{
    const char *path = temp_path("study.json");
    temp_write(path, text, strlen(text));
    return sae_study_load(study, context, path, &err);
}

START_TEST(a_study_is_read_whole)
{
    sae_study *study;
    sae_status status = load(
        &study, HEAD
        "\"group\": \"prompt_id\", " THREE ","
        "\"triggers\": [{\"name\": \"code\", \"with\": \"bad\", \"without\": \"good\"}],"
        "\"trajectories\": [{\"conditions\": [\"good\", \"bad\"], \"steps\": [0, 30]}],"
        "\"reference\": {\"dump\": \"rows.npy\", \"labels\": [{\"name\": \"toxic\", \"group\": \"doc_id\","
        "\"condition\": \"persona=1\", \"where\": \"region=3\", \"split\": true}]}}");
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    ck_assert_str_eq(sae_study_title(study), "t");
    ck_assert_uint_eq(sae_study_conditions(study), 3);
    ck_assert_uint_eq(sae_study_find(study, "good"), 2);
    ck_assert_uint_eq(sae_study_find(study, "nothing"), SIZE_MAX);
    ck_assert_ptr_null(sae_study_condition(study, 3));
    const sae_condition *bad = sae_study_condition(study, 1), *good = sae_study_condition(study, 2);
    ck_assert(bad->role == SAE_ROLE_BAD && bad->dose == 1 && bad->behaviour == 0.5 && bad->samples == 20);
    ck_assert(bad->n_controls == 1 && strcmp(bad->controls[0], "good") == 0);
    ck_assert(bad->meaning == NULL && strcmp(good->meaning, "nothing") == 0);
    ck_assert(strcmp(good->domain, "health") == 0 && isnan(good->behaviour) && good->samples == 0);
    ck_assert_uint_eq(sae_dump_rows(bad->dump), 2);
    ck_assert(study->n_triggers == 1 && study->triggers[0].before_with == NULL);
    ck_assert(study->n_trajectories == 1 && study->trajectories[0].steps[1] == 30);
    ck_assert(study->n_labels == 1 && strcmp(study->labels[0].group, "doc_id") == 0 &&
              study->labels[0].split);
    sae_study_free(study);
}
END_TEST

START_TEST(controls_are_the_list_or_the_role)
{
    sae_study *study;
    ck_assert_int_eq(
        load(&study, HEAD "\"conditions\": [" BASE "," GOOD "," CONDITION("edu", "control", "") "," CONDITION(
                         "style", "bad", ", \"controls\": [\"edu\"]") "," CONDITION("bad", "bad", "") "]}"),
        SAE_OK);
    bool is[5];
    ck_assert_uint_eq(saei_study_controls(is, study, 3), 1);
    ck_assert(is[2] && !is[1]);
    ck_assert_uint_eq(saei_study_controls(is, study, 4), 2);
    ck_assert(is[1] && is[2] && !is[0] && !is[3] && !is[4]);
    ck_assert_uint_eq(saei_study_controls(is, study, 1), 1);
    ck_assert(is[2] && !is[1]);
    sae_study_free(study);
}
END_TEST

static const struct {
    const char *text;
    sae_status status;
    const char *says;
} refused[] = {
    {"", SAE_E_FORMAT, "JSON"},
    {"[", SAE_E_FORMAT, "line 1"},
    {"[]", SAE_E_FORMAT, "object"},
    {"{}", SAE_E_FORMAT, "format"},
    {"{\"format\": \"libsae-study 2\"}", SAE_E_UNSUPPORTED, "libsae-study 2"},
    {HEAD "\"condition\": []}", SAE_E_FORMAT, "condition\"; known ones are"},
    {HEAD "\"conditions\": {}}", SAE_E_FORMAT, "must be a list"},
    {HEAD "\"conditions\": []}", SAE_E_ARGUMENT, "no base"},
    {HEAD "\"conditions\": [" BASE "]}", SAE_E_ARGUMENT, "nothing bad"},
    {HEAD "\"conditions\": [" BASE "," BASE "]}", SAE_E_ARGUMENT, "of this name"},
    {HEAD "\"conditions\": [" BASE "," CONDITION("b", "base", "") "]}", SAE_E_ARGUMENT,
     "is the base already"},
    {HEAD "\"conditions\": [" BASE "," BAD "]}", SAE_E_NOT_FOUND, "no condition is called good"},
    {HEAD "\"conditions\": [" BASE "," CONDITION("b", "bad", ", \"controls\": [\"b\"]") "]}", SAE_E_ARGUMENT,
     "own control"},
    {HEAD "\"conditions\": [" CONDITION("b", "evil", "") "]}", SAE_E_FORMAT, "role \"evil\""},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"dose\": 5") "]}", SAE_E_ARGUMENT, "shares"},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"dose\": \"5\"") "]}", SAE_E_FORMAT, "number"},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"samples\": -1") "]}", SAE_E_FORMAT, "count"},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"samples\": 1.5") "]}", SAE_E_FORMAT, "count"},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"controls\": []") "]}", SAE_E_FORMAT,
     "list of texts"},
    {HEAD "\"conditions\": [" CONDITION("b", "bad", ", \"controls\": [1]") "]}", SAE_E_FORMAT,
     "list of texts"},
    {HEAD "\"conditions\": [{\"name\": \"b\", \"role\": \"bad\"}]}", SAE_E_FORMAT, "\"dump\" must be"},
    {HEAD "\"conditions\": [{\"name\": \"b\", \"role\": \"bad\", \"dump\": \"none.npy\"}]}", SAE_E_NOT_FOUND,
     "none.npy"},
    {HEAD "\"conditions\": [{\"name\": \"b\", \"role\": \"bad\", \"dump\": []}]}", SAE_E_FORMAT, "1 to 256"},
    {HEAD THREE ", \"match_positions\": 1}", SAE_E_FORMAT, "true or false"},
    {HEAD THREE ", \"strata\": \"domain\"}", SAE_E_FORMAT, "list of texts"},
    {HEAD THREE ", \"triggers\": [{\"with\": \"bad\"}]}", SAE_E_FORMAT, "without"},
    {HEAD THREE ", \"triggers\": [{\"with\": \"bad\", \"without\": \"x\"}]}", SAE_E_NOT_FOUND, "called x"},
    {HEAD THREE ", \"trajectories\": [{\"conditions\": [\"good\", \"bad\"], \"steps\": [3, 3]}]}",
     SAE_E_ARGUMENT, "rise"},
    {HEAD THREE ", \"trajectories\": [{\"conditions\": [\"good\", \"bad\"], \"steps\": [3]}]}", SAE_E_FORMAT,
     "number for each"},
    {HEAD THREE ", \"trajectories\": [{\"conditions\": [\"good\"], \"steps\": [3]}]}", SAE_E_ARGUMENT,
     "two steps"},
    {HEAD THREE ", \"reference\": {\"dump\": \"rows.npy\", \"labels\": []}}", SAE_E_FORMAT, "1 to 8"},
    {HEAD THREE ", \"reference\": {\"dump\": \"rows.npy\", \"labels\": [{\"name\": \"x\"}]}}", SAE_E_FORMAT,
     "condition"},
    {HEAD THREE ", \"reference\": {\"dump\": \"rows.npy\", \"labels\": [" LABEL(", \"split\": 1") "]}}",
     SAE_E_FORMAT, "true or false"},
    {HEAD THREE ", \"reference\": {\"dump\": \"rows.npy\", \"labels\": [" LABEL("") "," LABEL("") "]}}",
     SAE_E_ARGUMENT, "two labels are called x"},
};

START_TEST(a_broken_study_is_refused_with_the_reason)
{
    sae_study *study;
    sae_status status = load(&study, refused[_i].text);
    ck_assert_msg(status == refused[_i].status, "%s: status %d, %s", refused[_i].text, (int)status, err.text);
    ck_assert_ptr_null(study);
    ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "%s: says %s", refused[_i].text, err.text);
    ck_assert_msg(strstr(err.text, "study.json") != NULL, "the file is not named: %s", err.text);
}
END_TEST

/* Cuts and flips of a good file: an error or a study, never a crash; nothing leaks. */
START_TEST(damaged_files_do_no_harm)
{
    static const char good[] = HEAD THREE ", \"triggers\": [{\"with\": \"bad\", \"without\": \"good\"}]}";
    saei_rng rng = saei_rng_new(7, SAEI_STREAM_BOOTSTRAP, 0);
    size_t refusals = 0;
    for (int i = 0; i < 1000; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        text[saei_rng_below(&rng, sizeof good - 1)] = (char)(1 + saei_rng_below(&rng, 255));
        if (i % 4 == 0)
            text[saei_rng_below(&rng, sizeof good - 1)] = '\0';
        sae_study *study;
        refusals += load(&study, text) != SAE_OK;
        sae_study_free(study);
    }
    ck_assert_uint_gt(refusals, 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("study_file");
    TCase *tests = tcase_create("study_file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_study_is_read_whole);
    tcase_add_test(tests, controls_are_the_list_or_the_role);
    tcase_add_loop_test(tests, a_broken_study_is_refused_with_the_reason, 0,
                        (int)(sizeof refused / sizeof refused[0]));
    tcase_add_test(tests, damaged_files_do_no_harm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
