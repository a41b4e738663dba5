/* Losses and gradients of the objective against PyTorch autograd: one small batch of every architecture, and
   one of TopK with AuxK that is larger than a tile. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "architecture_case.h"
#include "objective_probe.h"

enum { D = CASE_D, F = CASE_F, ROWS = CASE_ROWS, LONG_ROWS = 300, DEAD_AFTER = 100 };

static const double tolerance = 1e-5;

static const char *const cases[] = {
    "relu_decoder_norm",    "relu_plain",     "topk_normalised",          "topk_dictionary_learning",
    "batchtopk_normalised", "matryoshka_sum", "matryoshka_mean",          "jumprelu_step",
    "jumprelu_tanh",        "gated_attached", "gated_detached",           "jumprelu_target_l0",
    "p_anneal_1",           "p_anneal_06",    "jumprelu_target_l0_codes", "topk_saelens",
    "p_anneal_root",
};

static const saei_architecture *architecture_named(const char *name)
{
    for (sae_architecture i = SAE_ARCH_TOPK; i <= SAE_ARCH_P_ANNEAL; i++)
        if (strcmp(sae_architecture_name(i), name) == 0)
            return saei_architecture_find(i);
    ck_abort_msg("no architecture %s", name);
    return NULL;
}

static saei_auxk_settings aux_of(const architecture_case *c)
{
    saei_auxk_settings aux = {0};
    if (case_text(c, "aux_style") == NULL)
        return aux;
    aux.k = (size_t)case_number(c, "k_aux");
    aux.coefficient = case_number(c, "aux_coefficient");
    aux.style = case_is(c, "aux_style", "saelens")               ? SAE_AUX_SAELENS
                : case_is(c, "aux_style", "dictionary_learning") ? SAE_AUX_DICTIONARY_LEARNING
                                                                 : SAE_AUX_LIBSAE;
    return aux;
}

static saei_objective_settings settings_of(const architecture_case *c)
{
    saei_objective_settings s = {.architecture = architecture_named(case_text(c, "architecture")),
                                 .d = D,
                                 .n_latents = F,
                                 .batch_rows = ROWS,
                                 .n_groups = 1,
                                 .group_end = {F},
                                 .group_weight = 1.0,
                                 .raw_input = case_is(c, "input_centred", "false"),
                                 .unit_rows = case_is(c, "decoder_rows", "unit"),
                                 .detached_gate = case_is(c, "detach", "true"),
                                 .rank_by_decoder_norm = case_is(c, "rank_by_decoder_norm", "true"),
                                 .root_penalty = case_is(c, "sparsity", "lp"),
                                 .aux = aux_of(c)};
    if (s.architecture == &saei_jumprelu_architecture)
        s.pre_act_coefficient = case_number(c, "pre_act_coefficient");
    if (case_text(c, "k") != NULL)
        s.k = (size_t)case_number(c, "k");
    if (case_text(c, "target_l0") != NULL)
        s.target_l0 = case_number(c, "target_l0");
    if (case_text(c, "groups") == NULL)
        return s;
    double ends[SAEI_GROUPS_MAX] = {0}, weights[SAEI_GROUPS_MAX] = {0};
    s.n_groups = case_numbers(ends, SAEI_GROUPS_MAX, c, "groups");
    ck_assert_uint_eq(case_numbers(weights, SAEI_GROUPS_MAX, c, "group_weights"), s.n_groups);
    s.group_weight = weights[0];
    for (size_t g = 0; g < s.n_groups; g++)
        s.group_end[g] = (size_t)ends[g];
    return s;
}

static saei_penalty penalty_of(const architecture_case *c)
{
    saei_penalty penalty = {.kind = SAE_SPARSITY_L1, .coefficient = case_number(c, "l1_coefficient")};
    if (case_is(c, "sparsity", "decoder_norm"))
        penalty.kind = SAE_SPARSITY_L1_DECODER_NORM;
    if (case_is(c, "sparsity", "step"))
        penalty.kind = SAE_SPARSITY_STEP;
    if (case_is(c, "sparsity", "lp"))
        penalty.kind = SAE_SPARSITY_LP_ROOT;
    if (case_is(c, "sparsity", "tanh"))
        penalty.kind = SAE_SPARSITY_TANH;
    if (case_is(c, "sparsity", "target_l0"))
        penalty.kind = case_is(c, "step_of", "codes") ? SAE_SPARSITY_TARGET_L0_CODES : SAE_SPARSITY_TARGET_L0;
    if (case_text(c, "bandwidth") != NULL)
        penalty.bandwidth = (float)case_number(c, "bandwidth");
    if (case_text(c, "p") != NULL)
        penalty.p = penalty.p_next = (float)case_number(c, "p");
    return penalty;
}

static void read_dead(uint64_t *silent, const architecture_case *c)
{
    float dead[F];
    size_t n = case_count(c, "dead");
    memset(silent, 0, F * sizeof *silent);
    if (n == 0)
        return;
    case_read(dead, c, "dead", n);
    for (size_t i = 0; i < n; i++)
        silent[(size_t)dead[i]] = DEAD_AFTER;
}

static void read_parameters(saei_parameters *p, const architecture_case *c, const saei_architecture *a)
{
    case_read(p->W_enc, c, "W_enc", F * D);
    case_read(p->W_dec, c, "W_dec", F * D);
    case_read(p->b_enc, c, "b_enc", F);
    case_read(p->b_dec, c, "b_dec", D);
    for (size_t i = 0; i < a->n_extra; i++)
        case_read(p->extra[i], c, a->extra_names[i], F);
}

/* The gradient of a case in the arrangement of saei_parameters. */
typedef struct expected_gradient {
    double W_enc[F * D], W_dec[F * D], b_enc[F], extra[SAEI_EXTRAS_MAX][F], b_dec[D];
} expected_gradient;

static void read_gradient(expected_gradient *g, const architecture_case *c, const saei_architecture *a)
{
    case_read_results(g->W_enc, c, "grad_W_enc", F * D);
    case_read_results(g->W_dec, c, case_is(c, "decoder_rows", "unit") ? "grad_W_dec_projected" : "grad_W_dec",
                      F * D);
    case_read_results(g->b_enc, c, "grad_b_enc", F);
    case_read_results(g->b_dec, c,
                      case_text(c, "aux_style") != NULL ? "grad_b_dec_aux_attached" : "grad_b_dec", D);
    for (size_t i = 0; i < a->n_extra; i++) {
        char name[32];
        snprintf(name, sizeof name, "grad_%s", a->extra_names[i]);
        case_read_results(g->extra[i], c, name, F);
    }
}

static double number_of(const architecture_case *c, const char *name)
{
    double value;
    case_read_results(&value, c, name, 1);
    return value;
}

static void assert_losses(const objective_probe *probe, const architecture_case *c)
{
    bool gated = probe->objective.settings.architecture->gated;
    double aux = number_of(c, "loss_aux"), reconstruction = number_of(c, "loss_reconstruction");
    assert_value(probe->result.loss, reconstruction + (gated ? aux : 0.0), tolerance, c->name);
    assert_value(probe->result.aux_loss, gated ? 0.0 : aux, tolerance, c->name);
    assert_value(saei_objective_pre_act(&probe->objective), number_of(c, "loss_pre_act"), tolerance, c->name);
    assert_value(probe->sparsity, case_number(c, "l1_coefficient") * number_of(c, "loss_sparsity"), tolerance,
                 c->name);
    ck_assert_msg(fabs((double)probe->result.active / ROWS - number_of(c, "L0")) <= 1e-12, "%s", c->name);
    if (probe->objective.settings.n_groups == 1)
        assert_value(probe->result.reconstruction, reconstruction, tolerance, c->name);
}

static void assert_gradient(const objective_probe *probe, const expected_gradient *expected, const char *name)
{
    const saei_parameters *g = &probe->gradient;
    double norm2 = 0.0;
    for (size_t i = 0; i < g->count; i++)
        norm2 += (double)g->all[i] * (double)g->all[i];
    assert_array(g->W_enc, expected->W_enc, F * D, tolerance, name);
    assert_array(g->W_dec, expected->W_dec, F * D, tolerance, name);
    assert_array(g->b_enc, expected->b_enc, F, tolerance, name);
    assert_array(g->b_dec, expected->b_dec, D, tolerance, name);
    for (size_t i = 0; i < g->n_extra; i++)
        assert_array(g->extra[i], expected->extra[i], F, tolerance, name);
    assert_value(probe->norm, sqrt(norm2), 1e-6, name);
    ck_assert_msg(probe->bound >= probe->norm * (1.0 - 1e-6), "%s: bound %g of %g", name, probe->bound,
                  probe->norm);
}

START_TEST(gradient_equals_pytorch)
{
    architecture_case c = case_open(context, cases[_i]);
    saei_objective_settings settings = settings_of(&c);
    objective_probe probe;
    expected_gradient expected;
    uint64_t silent[F];
    float x[ROWS * D];
    probe_new(&probe, context, &settings);
    probe.penalty = penalty_of(&c);
    read_parameters(&probe.parameters, &c, settings.architecture);
    case_read(x, &c, "x", ROWS * D);
    read_dead(silent, &c);
    read_gradient(&expected, &c, settings.architecture);
    saei_objective_set_dead(&probe.objective, silent, DEAD_AFTER);
    probe_run(&probe, x, (float)case_number(&c, "scale"));
    assert_losses(&probe, &c);
    assert_gradient(&probe, &expected, c.name);
    probe_free(&probe);
    case_close(&c);
}
END_TEST

static void read_tensor(void *out, const saei_safetensors *file, const char *name, size_t n, bool as_float)
{
    const saei_tensor_info *tensor = saei_safetensors_find(file, name);
    ck_assert_msg(tensor != NULL && tensor->elements == n, "%s", name);
    sae_status status = as_float ? saei_safetensors_read_f32(out, file, tensor, NULL)
                                 : saei_safetensors_read_raw(out, file, tensor, n * sizeof(double), NULL);
    ck_assert_int_eq(status, SAE_OK);
}

/* TopK with AuxK on more rows than a tile has: gradient.safetensors, by make_gradient_fixture.py. */
typedef struct long_batch {
    objective_probe probe;
    float x[LONG_ROWS * D];
    uint64_t silent[F];
    double losses[2]; /* reconstruction, AuxK */
    expected_gradient expected;
} long_batch;

static void read_long_batch(long_batch *b, const saei_safetensors *file)
{
    double dead[5];
    saei_parameters *p = &b->probe.parameters;
    read_tensor(b->x, file, "x", LONG_ROWS * D, true);
    read_tensor(p->W_enc, file, "W_enc", F * D, true);
    read_tensor(p->W_dec, file, "W_dec", F * D, true);
    read_tensor(p->b_enc, file, "b_enc", F, true);
    read_tensor(p->b_dec, file, "b_dec", D, true);
    read_tensor(b->expected.W_enc, file, "g_W_enc", F * D, false);
    read_tensor(b->expected.W_dec, file, "g_W_dec", F * D, false);
    read_tensor(b->expected.b_enc, file, "g_b_enc", F, false);
    read_tensor(b->expected.b_dec, file, "g_b_dec", D, false);
    read_tensor(b->losses, file, "losses", 2, false);
    read_tensor(dead, file, "dead", 5, false);
    for (size_t i = 0; i < 5; i++)
        b->silent[(size_t)dead[i]] = DEAD_AFTER;
}

static long_batch *long_batch_new(void)
{
    const saei_objective_settings settings = {.architecture = &saei_topk_architecture,
                                              .d = D,
                                              .n_latents = F,
                                              .k = 4,
                                              .batch_rows = LONG_ROWS,
                                              .n_groups = 1,
                                              .group_end = {F},
                                              .group_weight = 1.0,
                                              .unit_rows = true,
                                              .aux = {3, SAE_AUX_LIBSAE, 1.0 / 32.0, 0}};
    long_batch *b = calloc(1, sizeof *b);
    saei_safetensors *file;
    ck_assert_ptr_nonnull(b);
    probe_new(&b->probe, context, &settings);
    ck_assert_int_eq(
        saei_safetensors_open(&file, context, SOURCE_ROOT "/tests/train/gradient.safetensors", NULL), SAE_OK);
    read_long_batch(b, file);
    saei_safetensors_free(file);
    return b;
}

static void long_batch_free(long_batch *b)
{
    probe_free(&b->probe);
    free(b);
}

START_TEST(several_tiles_equal_pytorch)
{
    long_batch *b = long_batch_new();
    saei_auxk_set_dead(&b->probe.objective.aux, b->silent, DEAD_AFTER);
    probe_run(&b->probe, b->x, 0.7f);
    assert_value(b->probe.result.loss, b->losses[0], 1e-6, "loss");
    assert_value(b->probe.result.aux_loss, b->losses[1], 1e-6, "aux loss");
    assert_gradient(&b->probe, &b->expected, "several tiles");
    long_batch_free(b);
}
END_TEST

START_TEST(aux_needs_dead_latents)
{
    long_batch *b = long_batch_new();
    saei_auxk_set_dead(&b->probe.objective.aux, b->silent, DEAD_AFTER + 1);
    probe_run(&b->probe, b->x, 0.7f);
    ck_assert(b->probe.result.aux_loss == 0.0);
    ck_assert_uint_eq(b->probe.objective.aux.n_dead, 0);
    long_batch_free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradient");
    TCase *tests = tcase_create("gradient");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, gradient_equals_pytorch, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, several_tiles_equal_pytorch);
    tcase_add_test(tests, aux_needs_dead_latents);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
