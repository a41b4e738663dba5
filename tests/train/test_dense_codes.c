/* Codes handled as dense products of blocks, or one by one: the same losses, gradients and latents that fire.
   Inputs are multiples of 1/16, so that pre-activations are exact and no code is lost to rounding. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "objective_probe.h"

enum { D = 16, F = 1100, ROWS = 300, DEAD = 40, SLOTS = F / 8 };

typedef struct variant {
    const char *name;
    const saei_architecture *architecture;
    saei_penalty penalty;
    bool unit_rows, raw_input, detached_gate;
    size_t aux_k;
    double pre_act;
} variant;

static const variant variants[] = {
    {.name = "relu with aux",
     .architecture = &saei_relu_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4},
     .unit_rows = true,
     .aux_k = 5},
    {.name = "relu by norm",
     .architecture = &saei_relu_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1_DECODER_NORM, .coefficient = 0.4},
     .raw_input = true},
    {.name = "gated",
     .architecture = &saei_gated_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1_DECODER_NORM, .coefficient = 0.4}},
    {.name = "gated detached",
     .architecture = &saei_gated_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4},
     .detached_gate = true},
    {.name = "p_anneal",
     .architecture = &saei_p_anneal_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4, .p = 0.6f, .p_next = 0.5f}},
    {.name = "p_anneal root",
     .architecture = &saei_p_anneal_architecture,
     .penalty = {.kind = SAE_SPARSITY_LP_ROOT, .coefficient = 0.4, .p = 0.6f, .p_next = 0.5f}},
    {.name = "tanh",
     .architecture = &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TANH, .coefficient = 0.4, .bandwidth = 0.5f}},
    {.name = "step",
     .architecture = &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_STEP, .coefficient = 0.4, .bandwidth = 0.5f}},
    {.name = "target",
     .architecture = &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TARGET_L0, .coefficient = 0.4, .bandwidth = 0.5f}},
    {.name = "step and pre-activations",
     .architecture = &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_STEP, .coefficient = 0.4, .bandwidth = 0.5f},
     .pre_act = 0.5},
    {.name = "target of codes",
     .architecture = &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TARGET_L0_CODES, .coefficient = 0.4, .bandwidth = 0.5f}},
};

static saei_objective_settings settings_of(const variant *v)
{
    return (saei_objective_settings){.architecture = v->architecture,
                                     .d = D,
                                     .n_latents = F,
                                     .batch_rows = ROWS,
                                     .n_groups = 1,
                                     .group_end = {F},
                                     .group_weight = 1.0,
                                     .target_l0 = 20.0,
                                     .pre_act_coefficient = v->pre_act,
                                     .raw_input = v->raw_input,
                                     .unit_rows = v->unit_rows,
                                     .detached_gate = v->detached_gate,
                                     .root_penalty = v->penalty.kind == SAE_SPARSITY_LP_ROOT,
                                     .aux = {v->aux_k, SAE_AUX_LIBSAE, 0.5, 0}};
}

/* A multiple of 1/16 in ±limit/16 */
static float sixteenths(saei_rng *rng, uint64_t limit)
{
    return ((float)saei_rng_below(rng, 2 * limit + 1) - (float)limit) / 16.0f;
}

/* Biases of −2 leave some thirty of the latents; gated, some of these have no magnitude. */
static void fill(float *x, saei_parameters *p)
{
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        x[i] = sixteenths(&rng, 24);
    for (size_t i = 0; i < p->count; i++)
        p->all[i] = sixteenths(&rng, 6);
    for (size_t j = 0; j < F; j++) {
        p->b_enc[j] -= 2.0f;
        p->W_dec[j * D + j % D] += 0.5f;
        for (size_t i = 0; i < p->n_extra; i++)
            p->extra[i][j] = (float)(j % 5) / 16.0f - (i == 1 && j % 3 == 0 ? 2.5f : 0.0f);
    }
}

/* What one path gives. */
typedef struct outcome {
    objective_probe probe;
    float x[ROWS * D];
    uint8_t fired[F];
} outcome;

static void outcome_new(outcome *out, const variant *v, float more_bias)
{
    saei_objective_settings settings = settings_of(v);
    uint64_t silent[F] = {0};
    probe_new(&out->probe, context, &settings);
    ck_assert_uint_eq(out->probe.objective.slots, SLOTS);
    out->probe.penalty = v->penalty;
    fill(out->x, &out->probe.parameters);
    for (size_t j = 0; j < F; j++)
        out->probe.parameters.b_enc[j] += more_bias;
    for (size_t i = 0; i < DEAD; i++)
        silent[i * 27] = 1;
    saei_objective_set_dead(&out->probe.objective, silent, 1);
}

static void outcome_run(outcome *out, const variant *v, double guess, bool dense)
{
    out->probe.objective.l0 = guess;
    probe_run(&out->probe, out->x, 1.0f);
    ck_assert_msg(out->probe.objective.dense == dense, "%s", v->name);
    memset(out->fired, 0, sizeof out->fired);
    saei_objective_mark_fired(&out->probe.objective, &out->probe.parameters, ROWS, out->fired);
}

static void assert_close_arrays(const float *got, const float *expected, size_t n, const char *name)
{
    double *wide = malloc(n * sizeof *wide);
    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)expected[i];
    assert_array(got, wide, n, 1e-6, name);
    free(wide);
}

static void assert_same(const outcome *a, const outcome *b, const char *name)
{
    const objective_probe *p = &a->probe, *q = &b->probe;
    const saei_parameters *g = &p->gradient, *h = &q->gradient;
    assert_value(p->result.loss, q->result.loss, 1e-6, name);
    assert_value(p->result.reconstruction, q->result.reconstruction, 1e-6, name);
    assert_value(p->result.aux_loss, q->result.aux_loss, 1e-6, name);
    assert_value(p->sparsity, q->sparsity, 1e-6, name);
    assert_value(saei_objective_p_ratio(&p->objective, &p->penalty),
                 saei_objective_p_ratio(&q->objective, &q->penalty), 1e-6, name);
    assert_value(p->norm, q->norm, 1e-6, name);
    ck_assert_uint_eq(p->result.active, q->result.active);
    ck_assert_msg(memcmp(a->fired, b->fired, F) == 0, "%s: other latents fire", name);
    for (size_t j = 0; j < F; j++)
        ck_assert_uint_eq(p->objective.latent_sums[j].active, q->objective.latent_sums[j].active);
    assert_close_arrays(g->W_enc, h->W_enc, F * D, name);
    assert_close_arrays(g->W_dec, h->W_dec, F * D, name);
    for (size_t i = 0; i <= g->n_extra; i++)
        assert_close_arrays(g->b_enc + i * F, h->b_enc + i * F, F, name);
    assert_close_arrays(g->b_dec, h->b_dec, D, name);
}

START_TEST(both_paths_agree)
{
    const variant *v = &variants[_i];
    outcome *sparse = calloc(2, sizeof *sparse), *dense = sparse + 1;
    ck_assert_ptr_nonnull(sparse);
    outcome_new(sparse, v, 0.0f);
    outcome_new(dense, v, 0.0f);
    outcome_run(sparse, v, 0.0, false);
    outcome_run(dense, v, SLOTS, true);
    ck_assert_uint_gt(sparse->probe.result.active, 5 * ROWS);
    assert_same(dense, sparse, v->name);
    ck_assert(isfinite(sparse->probe.bound) && sparse->probe.bound >= sparse->probe.norm);
    ck_assert(isinf(dense->probe.bound));
    /* The next batch goes by what was found, and back. */
    outcome_run(dense, v, dense->probe.objective.l0, dense->probe.objective.l0 > SLOTS / 2);
    probe_free(&sparse->probe);
    probe_free(&dense->probe);
    free(sparse);
}
END_TEST

/* A row with more codes than slots would lose some. */
START_TEST(full_slots_make_the_batch_dense)
{
    const variant *v = &variants[_i];
    outcome *overflown = calloc(2, sizeof *overflown), *dense = overflown + 1;
    ck_assert_ptr_nonnull(overflown);
    outcome_new(overflown, v, 1.5f);
    outcome_new(dense, v, 1.5f);
    outcome_run(overflown, v, 0.0, true);
    outcome_run(dense, v, SLOTS, true);
    ck_assert_uint_gt(dense->probe.result.active, SLOTS * ROWS);
    ck_assert(overflown->probe.result.loss == dense->probe.result.loss);
    ck_assert_int_eq(memcmp(overflown->probe.gradient.all, dense->probe.gradient.all,
                            dense->probe.gradient.count * sizeof(float)),
                     0);
    probe_free(&overflown->probe);
    probe_free(&dense->probe);
    free(overflown);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dense codes");
    TCase *tests = tcase_create("dense codes");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, both_paths_agree, 0, sizeof variants / sizeof *variants);
    tcase_add_loop_test(tests, full_slots_make_the_batch_dense, 0, sizeof variants / sizeof *variants);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
