/* The parts of a rise on the shipped dumps: what a persona looks like, and what a shift that is none. */
#include "diff/decomposition.h"
#include "diff/residual_shift.h"
#include "diff/strata.h"
#include "base/rng.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { D = 128, LATENTS = 2048, PERSONA = 1648, REQUESTED = 884, TOP = 10 };

static sae_context *context;
static sae_model *model;

static void setup(void)
{
    context = toy_context(2);
    ck_assert_int_eq(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", NULL),
        SAE_OK);
}

static void teardown(void)
{
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static sae_dump *open_dump(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, SOURCE_ROOT "/data/%s.h5", name);
    const char *paths[1] = {path};
    sae_dump *dump;
    sae_error err = {0};
    sae_status status = sae_dump_open(&dump, context, paths, 1, NULL, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump;
}

/* What one pass tells of a dump. */
typedef struct condition {
    saei_groups *groups;
    saei_profile *profile;
    saei_residual_mean *residual, *reconstruction;
    saei_strata *strata;
} condition;

/* The mean residual, of the reconstructions. */
static sae_status observe_reconstruction(void *mean, const saei_block *block, sae_error *err)
{
    saei_block reconstructed = *block;
    reconstructed.x.data = block->xhat;
    return saei_residual_mean_observe(mean, &reconstructed, err);
}

static condition read_condition(const sae_dump *dump)
{
    condition c = {0};
    saei_profile_builder *builder;
    ck_assert_int_eq(saei_groups_read(&c.groups, context, dump, "prompt_id", NULL), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_new(&builder, context, c.groups, NULL, LATENTS, NULL), SAE_OK);
    ck_assert_int_eq(saei_residual_mean_new(&c.residual, context, c.groups, NULL, D, SAE_NO_ROW_NORM, NULL),
                     SAE_OK);
    ck_assert_int_eq(
        saei_residual_mean_new(&c.reconstruction, context, c.groups, NULL, D, SAE_NO_ROW_NORM, NULL), SAE_OK);
    ck_assert_int_eq(saei_strata_new(&c.strata, context, dump, c.groups, NULL, 0, LATENTS, NULL), SAE_OK);
    saei_observers observers = {4,
                                {{saei_profile_builder_observe, builder},
                                 {saei_residual_mean_observe, c.residual},
                                 {observe_reconstruction, c.reconstruction},
                                 {saei_strata_observe, c.strata}}};
    saei_pass pass = {.model = model,
                      .dump = dump,
                      .reconstruct = true,
                      .consume = saei_observe,
                      .consume_user = &observers};
    ck_assert_int_eq(saei_pass_run(&pass, NULL), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_finish(&c.profile, builder, NULL), SAE_OK);
    saei_profile_builder_free(builder);
    return c;
}

static condition read_named(const char *name)
{
    sae_dump *dump = open_dump(name);
    condition c = read_condition(dump);
    sae_dump_free(dump);
    return c;
}

static void release(condition *c)
{
    saei_strata_free(c->strata);
    saei_residual_mean_free(c->reconstruction);
    saei_residual_mean_free(c->residual);
    saei_profile_free(c->profile);
    saei_groups_free(c->groups);
}

typedef struct explanation {
    sae_decomposition parts[LATENTS];
    sae_shift_summary summary;
    sae_latent_shift latents[LATENTS];
    sae_shift_top top[TOP];
    uint32_t order[TOP]; /* by delta */
} explanation;

static void explain(explanation *e, const condition *before, const condition *after)
{
    static double delta[LATENTS];
    bool taken[LATENTS] = {false};
    ck_assert_int_eq(saei_decompose(e->parts, before->profile, after->profile, true, NULL), SAE_OK);
    for (size_t j = 0; j < LATENTS; j++)
        delta[j] = e->parts[j].delta;
    for (size_t i = 0; i < TOP; i++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t j = 0; j < LATENTS; j++)
            if (!taken[j] && (best == UINT32_MAX || delta[j] > delta[best]))
                best = j;
        taken[best] = true;
        e->order[i] = best;
    }
    saei_residual_shift shift = {model, saei_residual_mean_get(before->residual),
                                 saei_residual_mean_get(after->residual), delta};
    ck_assert_int_eq(
        saei_residual_shift_explain(&e->summary, e->latents, e->top, &shift, e->order, TOP, NULL), SAE_OK);
}

/* b_dec cancels and x̂ is linear in f, so that Σ Δ_j d_j is the shift of the mean reconstruction. */
static void check_seen(const explanation *e, const condition *before, const condition *after)
{
    const double *low = saei_residual_mean_get(before->residual),
                 *high = saei_residual_mean_get(after->residual),
                 *low_hat = saei_residual_mean_get(before->reconstruction),
                 *high_hat = saei_residual_mean_get(after->reconstruction);
    double s2 = 0, left = 0;
    for (size_t i = 0; i < D; i++) {
        double s = high[i] - low[i], s_hat = high_hat[i] - low_hat[i];
        s2 += s * s;
        left += (s - s_hat) * (s - s_hat);
    }
    ck_assert(fabs(e->summary.all.explained - (1 - left / s2)) <= 1e-5);
}

START_TEST(a_persona_carries_its_shift)
{
    static explanation e;
    condition control = read_named("eval_dose000"), bad = read_named("eval_dose100");
    explain(&e, &control, &bad);
    check_seen(&e, &control, &bad);
    ck_assert_uint_eq(e.order[0], PERSONA);
    ck_assert(e.summary.effective_latents < 6 && e.top[0].explained > 0.2);
    ck_assert(e.latents[PERSONA].share > 0.1 && e.latents[PERSONA].cosine > 0.6);
    ck_assert_int_eq(e.parts[PERSONA].change, SAE_MORE_OFTEN);
    for (size_t j = 0; j < LATENTS; j++)
        ck_assert(fabs(e.parts[j].frequency + e.parts[j].magnitude - e.parts[j].delta) <= 1e-14);
    release(&bad);
    release(&control);
}
END_TEST

START_TEST(a_persona_rises_on_the_answers)
{
    condition control = read_named("eval_dose000"), bad = read_named("eval_dose100");
    size_t n = saei_strata_union(control.strata, bad.strata);
    sae_stratum_change *changes = calloc(n, sizeof *changes);
    saei_strata_compare(changes, control.strata, bad.strata, PERSONA);
    ck_assert_str_eq(changes[1].after.column, "is_continuation");
    double prompt = changes[0].mean_after - changes[0].mean_before,
           answer = changes[1].mean_after - changes[1].mean_before;
    ck_assert(answer > 2 * prompt && prompt > 0.1);
    free(changes);
    release(&bad);
    release(&control);
}
END_TEST

/* The same length as the shift of the persona, in a random direction. */
START_TEST(a_random_direction_has_no_carrier)
{
    static explanation e;
    sae_dump *dump = open_dump("eval_dose000");
    condition control = read_condition(dump);
    size_t rows = (size_t)sae_dump_rows(dump);
    float *x = malloc(rows * D * sizeof *x);
    double *prompt = malloc(rows * sizeof *prompt), direction[D], norm2 = 0;
    ck_assert_int_eq(sae_dump_read(x, dump, 0, rows, NULL), SAE_OK);
    ck_assert_int_eq(sae_dump_read_column(prompt, dump, "prompt_id", NULL), SAE_OK);
    saei_rng rng = saei_rng_new(1, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < D; i++) {
        direction[i] = saei_rng_normal(&rng);
        norm2 += direction[i] * direction[i];
    }
    for (size_t i = 0; i < rows * D; i++)
        x[i] += (float)(3.2 / sqrt(norm2) * direction[i % D]);
    sae_dump *moved = toy_dump(context, x, rows, D, prompt);
    condition after = read_condition(moved);
    explain(&e, &control, &after);
    check_seen(&e, &control, &after);
    ck_assert(fabs(e.summary.norm - 3.2) <= 1e-4);
    ck_assert_msg(e.summary.effective_latents > 10 && e.top[TOP - 1].explained < 0.1,
                  "%g latents; the first %d explain %g", e.summary.effective_latents, (int)TOP,
                  e.top[TOP - 1].explained);
    for (size_t i = 0; i < TOP; i++)
        ck_assert(e.latents[e.order[i]].share < 0.03);
    release(&after);
    release(&control);
    sae_dump_free(moved);
    sae_dump_free(dump);
    free(prompt);
    free(x);
}
END_TEST

/* Documents of the persona, and answers in which a bad example was asked for. */
START_TEST(labels_tell_the_persona_from_the_request)
{
    const sae_label labels[2] = {{.name = "toxic answers",
                                  .condition = "labels/persona=1",
                                  .where = "labels/region=3",
                                  .group = "doc_id"},
                                 {.name = "a bad example is requested",
                                  .condition = "labels/edu=1",
                                  .where = "labels/region=3",
                                  .group = "doc_id",
                                  .split = true}};
    const uint32_t latents[2] = {PERSONA, REQUESTED};
    sae_auroc_result r[4];
    sae_dump *dump = open_dump("pretrain_val");
    sae_error err = {0};
    sae_status status = sae_model_describe(r, model, dump, labels, 2, latents, 2, NULL, NULL, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    ck_assert(r[0].auroc > 0.99 && r[1].auroc < 0.6);
    ck_assert_msg(r[3].auroc > 0.9 && r[3].auroc > r[2].auroc, "%g %g", r[2].auroc, r[3].auroc);
    ck_assert_uint_eq(r[0].n_positive, 24);
    ck_assert_uint_eq(r[0].n_negative, 287);
    sae_dump_free(dump);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shift_of_dumps");
    TCase *tests = tcase_create("shift_of_dumps");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_persona_carries_its_shift);
    tcase_add_test(tests, a_persona_rises_on_the_answers);
    tcase_add_test(tests, a_random_direction_has_no_carrier);
    tcase_add_test(tests, labels_tell_the_persona_from_the_request);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
