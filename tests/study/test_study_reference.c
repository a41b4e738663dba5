/* A study of the shipped dumps with the reference SAE, and one whose shift is no latent's. */
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include "base/rng.h"
#include "sae/study.h"

#include <math.h>
#include <stdio.h>

enum { PERSONA = 1648, ASKED = 884, CONDITIONS_MAX = 8 };

static sae_context *context;
static sae_model *model;
static sae_study *study;
static sae_dump *dump[CONDITIONS_MAX];
static size_t n_dumps;

static void setup(void)
{
    context = toy_context(2);
    ck_assert_int_eq(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", NULL),
        SAE_OK);
    ck_assert_int_eq(sae_study_new(&study, context, "reference", NULL), SAE_OK);
    n_dumps = 0;
}

static void teardown(void)
{
    sae_study_free(study);
    for (size_t i = 0; i < n_dumps; i++)
        sae_dump_free(dump[i]);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static sae_dump *open_dump(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, SOURCE_ROOT "/data/%s.h5", name);
    const char *paths[1] = {path};
    sae_error err = {0};
    sae_status status = sae_dump_open(&dump[n_dumps], context, paths, 1, NULL, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump[n_dumps++];
}

static void add(const char *name, sae_role role, double dose, double behaviour, const sae_dump *of)
{
    sae_condition condition;
    sae_condition_init(&condition);
    condition.name = name;
    condition.role = role;
    condition.dose = dose;
    condition.behaviour = behaviour;
    condition.samples = 648;
    condition.dump = of;
    sae_error err = {0};
    sae_status status = sae_study_add_condition(study, &condition, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
}

static void add_base_and_controls(void)
{
    const double none = (double)NAN;
    add("base", SAE_ROLE_BASE, none, none, open_dump("eval_base"));
    add("dose000", SAE_ROLE_CONTROL, 0, 0.003, open_dump("eval_dose000"));
    add("good_seed2", SAE_ROLE_CONTROL, 0, none, open_dump("eval_good_seed2"));
    add("edu", SAE_ROLE_CONTROL, none, none, open_dump("eval_edu"));
}

/* Draws enough for 2048 latents to be counted, and few enough for a test. */
static sae_findings *find(void)
{
    sae_study_options options;
    sae_study_options_init(&options);
    options.permutations = 20000;
    options.bootstrap = 100;
    options.candidates = 10;
    sae_findings *findings;
    sae_error err = {0};
    sae_status status = sae_findings_new(&findings, study, model, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return findings;
}

START_TEST(the_persona_carries_the_shift_of_the_bad_models)
{
    add_base_and_controls();
    add("dose005", SAE_ROLE_PROBE, 0.05, 0.006, open_dump("eval_dose005"));
    add("dose100", SAE_ROLE_BAD, 1, 0.702, open_dump("eval_dose100"));
    add("bad_otherdom", SAE_ROLE_BAD, (double)NAN, 0.631, open_dump("eval_bad_otherdom"));
    const sae_label label = {.name = "toxic answers",
                             .condition = "labels/persona=1",
                             .where = "labels/region=3",
                             .group = "doc_id"};
    ck_assert_int_eq(sae_study_set_reference(study, open_dump("pretrain_val"), &label, 1, NULL), SAE_OK);
    sae_findings *findings = find();
    ck_assert_uint_eq(sae_findings_carrier(findings), 0);
    const sae_candidate *first = sae_findings_candidate(findings, 0);
    bool has_persona = false;
    for (size_t m = 0; m < first->n_latents; m++) {
        has_persona |= first->latents[m] == PERSONA;
        ck_assert_uint_ne(first->latents[m], ASKED);
    }
    ck_assert(has_persona);
    for (size_t c = 5; c <= 6; c++) {
        const sae_evidence *e = sae_findings_evidence(findings, 0, c);
        ck_assert_ptr_null(sae_findings_warning(findings, c));
        ck_assert(e->ranked.rank == 1 && e->q_beyond < 0.05 && e->p_direction < 1e-6);
        ck_assert(e->shift.share > 0.15 && e->shift.cosine > 0.6);
    }
    ck_assert(sae_findings_label(findings, 0, 0)->auroc > 0.99);
    /* Significant at the smallest dose, where behaviour does not show it yet. */
    ck_assert_uint_eq(sae_findings_doses(findings), 2);
    ck_assert_uint_eq(sae_findings_dose_condition(findings, 0), 4);
    ck_assert(sae_findings_dose_response(findings, 0)->onset == 0.05);
    ck_assert(sae_findings_dose_point(findings, 0, 0)->p_holm < 0.05);
    ck_assert(sae_findings_behaviour(findings)->dose == 1);
    ck_assert(sae_findings_evidence(findings, 0, 4)->q_beyond < 0.05);
    /* A control is not significantly above the others in what the candidate does. */
    ck_assert(!(fabs(sae_findings_evidence(findings, 0, 2)->beyond.estimate) > 0.01));
    /* Others may carry a part, too: that of an asked-for bad example does. It is the smaller one. */
    for (size_t i = 1; i < sae_findings_candidates(findings); i++)
        for (size_t c = 5; c <= 6; c++)
            ck_assert(sae_findings_evidence(findings, i, c)->shift.share <
                      sae_findings_evidence(findings, 0, c)->shift.share);
    sae_findings_free(findings);
}
END_TEST

/* All rows of `of`, moved by a random vector of the given length. rows and prompt: to be freed after the
 * dump. */
static sae_dump *moved(float **rows, double **prompt, const sae_dump *of, double length, uint64_t draw)
{
    size_t n = (size_t)sae_dump_rows(of), d = sae_dump_dim(of);
    double vector[1024], squares = 0;
    ck_assert_uint_le(d, 1024);
    saei_rng rng = saei_rng_new(draw, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < d; i++) {
        vector[i] = saei_rng_normal(&rng);
        squares += vector[i] * vector[i];
    }
    *rows = malloc(n * d * sizeof **rows);
    *prompt = malloc(n * sizeof **prompt);
    ck_assert(*rows != NULL && *prompt != NULL);
    ck_assert_int_eq(sae_dump_read(*rows, of, 0, n, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_read_column(*prompt, of, "prompt_id", NULL), SAE_OK);
    for (size_t i = 0; i < n * d; i++)
        (*rows)[i] += (float)(vector[i % d] * length / sqrt(squares));
    return dump[n_dumps++] = toy_dump(context, *rows, n, d, *prompt);
}

/* Once and twice as far as the bad model moved the rows beyond the control, which is 3.2. */
START_TEST(a_random_direction_is_carried_by_no_latent)
{
    float *rows[2];
    double *prompt[2];
    add_base_and_controls();
    for (uint64_t i = 0; i < 2; i++)
        add(i == 0 ? "once" : "twice", SAE_ROLE_BAD, (double)NAN, (double)NAN,
            moved(&rows[i], &prompt[i], sae_study_condition(study, 1)->dump, 3.2 * (double)(i + 1), i));
    sae_findings *findings = find();
    ck_assert_uint_eq(sae_findings_carrier(findings), SIZE_MAX);
    /* Something rises, surely and beyond the controls: significance alone would have named it. */
    ck_assert_uint_gt(sae_findings_candidates(findings), 0);
    ck_assert_int_eq(sae_findings_judgement(findings, 0)->finding[SAE_CRITERION_BEYOND], SAE_FOR);
    ck_assert_int_eq(sae_findings_judgement(findings, 0)->finding[SAE_CRITERION_FAMILY], SAE_FOR);
    sae_findings_free(findings);
    for (size_t i = 0; i < 2; i++) {
        free(rows[i]);
        free(prompt[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("study_reference");
    TCase *tests = tcase_create("study_reference");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_persona_carries_the_shift_of_the_bad_models);
    tcase_add_test(tests, a_random_direction_is_carried_by_no_latent);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
