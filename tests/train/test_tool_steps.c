/* The steps of every preset are those of the tool that it is named after: the same weights and batches, the
   weights afterwards. Made by make_tool_steps.py, by the tools' own trainers. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "architecture_case.h"
#include "num/rows.h"
#include "train/trainer.h"

#include <math.h>

enum { D = 8, F = 24, ROWS = 16, STEPS = 8 };

/* In learning rates: a step moves a weight by about one, and the tools' own float32 keeps within 1e-4 of
   their float64. */
static const double tolerance = 3e-4;

/* A preset each, under its name or with what distinguishes a second case. */
static const char *const files[] = {
    "dictionary_learning-topk",
    "dictionary_learning-batchtopk",
    "dictionary_learning-matryoshka",
    "dictionary_learning-relu",
    "dictionary_learning-p_anneal",
    "dictionary_learning-p_anneal-root",
    "dictionary_learning-gated",
    "dictionary_learning-jumprelu",
    "saelens-topk",
    "saelens-batchtopk",
    "saelens-matryoshka",
    "saelens-relu",
    "saelens-gated",
    "saelens-jumprelu",
};

typedef struct tool_run {
    architecture_case file;
    float rows[STEPS * ROWS * D];
    sae_dump *dump; /* the first batch: scale and geometric median are made of it */
    sae_trainer *trainer;
} tool_run;

static sae_train_options options_of(const architecture_case *c)
{
    sae_train_options o;
    sae_train_options_init(&o);
    ck_assert_int_eq(sae_train_options_preset(&o, case_text(c, "preset"), NULL), SAE_OK);
    o.n_latents = F;
    o.k = (size_t)case_number(c, "k");
    o.batch_rows = ROWS;
    o.steps = STEPS;
    o.heldout = 0.0;
    o.learning_rate = case_number(c, "lr");
    o.warmup = case_number(c, "warmup");
    o.decay_start = case_number(c, "decay_start");
    o.dead_after = (uint64_t)case_number(c, "silent_rows");
    o.sparsity_warmup = case_number(c, "sparsity_warmup");
    if (case_text(c, "sparsity") != NULL)
        o.sparsity_coefficient = case_number(c, "sparsity");
    if (case_text(c, "penalty") != NULL) {
        o.sparsity = case_is(c, "penalty", "lp-root") ? SAE_SPARSITY_LP_ROOT : SAE_SPARSITY_L1;
        o.p_start = case_number(c, "p_start");
        o.p_end = case_number(c, "p_end");
        o.p_updates = (size_t)case_number(c, "p_updates");
    }
    if (case_text(c, "bandwidth") != NULL)
        o.bandwidth = case_number(c, "bandwidth");
    o.n_groups = case_numbers(o.groups, SAE_GROUPS_MAX, c, "groups");
    return o;
}

static void run_new(tool_run *r, const char *file)
{
    char name[128];
    snprintf(name, sizeof name, "tool_steps/%s", file);
    r->file = case_open(context, name);
    case_read(r->rows, &r->file, "rows", STEPS * ROWS * D);
    ck_assert_int_eq(sae_dump_from_rows(&r->dump, context, (sae_view){r->rows, ROWS, D, D}, NULL), SAE_OK);
    sae_train_options options = options_of(&r->file);
    ck_assert_msg(sae_trainer_new(&r->trainer, r->dump, NULL, &options, &err) == SAE_OK, "%s", err.text);
}

static void run_free(tool_run *r)
{
    sae_trainer_free(r->trainer);
    sae_dump_free(r->dump);
    case_close(&r->file);
}

typedef struct part {
    const char *name;
    float *values;
    size_t n;
} part;

enum { PARTS = 6 };

static size_t parts_of(part out[PARTS], const saei_parameters *p)
{
    const part all[PARTS] = {{"W_enc", p->W_enc, F * D},  {"W_dec", p->W_dec, F * D},
                             {"b_enc", p->b_enc, F},      {"b_dec", p->b_dec, D},
                             {"extra_0", p->extra[0], F}, {"extra_1", p->extra[1], F}};
    memcpy(out, all, sizeof all);
    return 4 + p->n_extra;
}

/* The weights of the file before step t into out [n]. */
static void read_part(float *out, const tool_run *r, const part *p, size_t t)
{
    float *path = malloc((STEPS + 1) * p->n * sizeof *path);
    ck_assert_ptr_nonnull(path);
    case_read(path, &r->file, p->name, (STEPS + 1) * p->n);
    memcpy(out, path + t * p->n, p->n * sizeof *out);
    free(path);
}

static void assert_weights(const tool_run *r, const char *name, size_t t)
{
    part parts[PARTS];
    float expected[F * D];
    size_t n = parts_of(parts, &r->trainer->parameters);
    for (size_t i = 0; i < n; i++) {
        read_part(expected, r, &parts[i], t);
        for (size_t j = 0; j < parts[i].n; j++) {
            double apart = fabs((double)parts[i].values[j] - (double)expected[j]);
            ck_assert_msg(apart <= tolerance * r->trainer->options.learning_rate,
                          "%s after step %zu: %s[%zu] = %.9g, expected %.9g", name, t, parts[i].name, j,
                          (double)parts[i].values[j], (double)expected[j]);
        }
    }
}

static void take_weights(tool_run *r)
{
    part parts[PARTS];
    size_t n = parts_of(parts, &r->trainer->parameters);
    for (size_t i = 0; i < n; i++)
        read_part(parts[i].values, r, &parts[i], 0);
    saei_objective_pack(&r->trainer->objective, &r->trainer->parameters);
}

START_TEST(steps_are_those_of_the_tool)
{
    tool_run r;
    run_new(&r, files[_i]);
    sae_trainer *t = r.trainer;
    take_weights(&r);
    double steepest = 0.0;
    for (size_t step = 0; step < STEPS; step++) {
        memcpy(t->objective.xc, r.rows + step * ROWS * D, ROWS * D * sizeof(float));
        ck_assert_msg(saei_trainer_learn(t, &err) == SAE_OK, "%s", err.text);
        assert_weights(&r, files[_i], step + 1);
        steepest = fmax(steepest, t->metrics.gradient_norm);
    }
    /* Clipping is part of what is compared, but for the one whose loss is divided by the square of the number
       of its groups. */
    bool gentle = strcmp(files[_i], "dictionary_learning-matryoshka") == 0;
    ck_assert(t->options.clip == 0.0 || steepest > t->options.clip || gentle);
    double threshold = case_number(&r.file, "threshold");
    if (saei_architecture_find(t->options.architecture)->selection == SAEI_SELECT_BATCH_TOPK)
        ck_assert_msg(fabs(t->threshold - threshold) <= 1e-5 * threshold, "%s: threshold %.9g, expected %.9g",
                      files[_i], t->threshold, threshold);
    run_free(&r);
}
END_TEST

static void assert_lengths(const float *rows, double expected, const char *name)
{
    for (size_t j = 0; j < F; j++) {
        double length = sqrt(saei_row_norm2(rows + j * D, D));
        ck_assert_msg(fabs(length - expected) <= 1e-6, "%s: length %.9g, expected %.9g", name, length,
                      expected);
    }
}

/* Directions are drawn by each tool in its own way; lengths, biases, thresholds, b_dec and the scale are not.
 */
START_TEST(beginnings_are_those_of_the_tool)
{
    tool_run r;
    run_new(&r, files[_i]);
    const sae_trainer *t = r.trainer;
    const saei_parameters *p = &t->parameters;
    double bias = case_number(&r.file, "bias"), scale = case_number(&r.file, "scale");
    ck_assert_msg(fabs(t->scale - scale) <= 1e-9 * scale, "%s: scale %.12g, expected %.12g", files[_i],
                  t->scale, scale);
    assert_lengths(p->W_enc, case_number(&r.file, "encoder_norm"), files[_i]);
    assert_lengths(p->W_dec, case_number(&r.file, "decoder_norm"), files[_i]);
    for (size_t j = 0; j < F; j++)
        ck_assert_msg(bias > 0.0 ? p->b_enc[j] != 0.0f : p->b_enc[j] == 0.0f, "%s: b_enc", files[_i]);
    for (size_t i = 0; i < p->n_extra; i++)
        for (size_t j = 0; j < F; j++)
            ck_assert(p->extra[i][j] == (float)(i == 0 ? case_number(&r.file, "extra_start") : 0.0));
    float b_dec[D] = {0};
    if (case_is(&r.file, "median", "1")) {
        part first = {"b_dec", NULL, D};
        read_part(b_dec, &r, &first, 0);
    }
    for (size_t i = 0; i < D; i++)
        ck_assert_msg(fabs((double)p->b_dec[i] - (double)b_dec[i]) <= 1e-5,
                      "%s: b_dec[%zu] = %.9g, expected %.9g", files[_i], i, (double)p->b_dec[i],
                      (double)b_dec[i]);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tool steps");
    TCase *tests = tcase_create("tool steps");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, beginnings_are_those_of_the_tool, 0, sizeof files / sizeof *files);
    tcase_add_loop_test(tests, steps_are_those_of_the_tool, 0, sizeof files / sizeof *files);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
