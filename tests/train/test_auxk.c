/* AuxK against a naive computation in double, on both sides of the number of dead latents where it changes
 * its way. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "objective_probe.h"
#include "peer_cases.h"

enum { D = 8, F = 1200, ROWS = 300, K = 5, STRIDE = 2 * D };

static const double coefficient = 0.5, e_scale = 0.5;
static const struct {
    size_t dead, few; /* few: as the setting */
} counts[] = {{1, 0}, {3, 0}, {3, 1}, {200, 0}, {SAEI_AUXK_FEW, 0}, {SAEI_AUXK_FEW + 1, 0}, {F, 0}, {F, F}};
static const sae_aux_style styles[] = {SAE_AUX_LIBSAE, SAE_AUX_DICTIONARY_LEARNING, SAE_AUX_SAELENS};

typedef struct batch {
    saei_parameters p;
    float xc[ROWS * D], e[ROWS * STRIDE];
    uint64_t silent[F];
    size_t n_dead;
} batch;

/* Multiples of 1/4: pre-activations are exact, many are equal and some are 0; and so are sums over the rows in
   whatever order BLAS adds. */
static void fill(float *x, size_t n, saei_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ((float)saei_rng_below(rng, 9) - 4.0f) / 4.0f;
}

static batch *batch_new(size_t n_dead)
{
    batch *b = calloc(1, sizeof *b);
    saei_rng rng = saei_rng_new(3, SAEI_STREAM_INIT, n_dead);
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(saei_parameters_new(&b->p, context, D, F, 0, NULL), SAE_OK);
    fill(b->p.all, b->p.count, &rng);
    fill(b->xc, ROWS * D, &rng);
    fill(b->e, ROWS * STRIDE, &rng);
    for (b->n_dead = 0; b->n_dead < n_dead;) {
        size_t j = (size_t)saei_rng_below(&rng, F);
        b->n_dead += b->silent[j] == 0;
        b->silent[j] = 1;
    }
    return b;
}

static void batch_free(batch *b)
{
    saei_parameters_free(&b->p, context);
    free(b);
}

typedef struct expected_aux {
    double loss, norm, W_enc[F * D], W_dec[F * D], b_enc[F], b_dec[D];
} expected_aux;

static double pre_of(const batch *b, size_t r, size_t j)
{
    double sum = (double)b->p.b_enc[j];
    for (size_t i = 0; i < D; i++)
        sum += (double)b->xc[r * D + i] * (double)b->p.W_enc[j * D + i];
    return sum;
}

/* The dead latents with the K largest pre-activations above the floor; of equal ones the first. */
static size_t choose(size_t *chosen, double *value, const batch *b, size_t r, double floor)
{
    bool taken[F] = {false};
    size_t n = 0;
    for (size_t best = 0; n < K && best < F; n += best < F) {
        best = F;
        for (size_t j = 0; j < F; j++) {
            double pre = b->silent[j] > 0 && !taken[j] ? pre_of(b, r, j) : -INFINITY;
            if (pre > floor && (best == F || pre > value[n])) {
                best = j;
                value[n] = pre;
            }
        }
        if (best < F)
            taken[chosen[n] = best] = true;
    }
    return n;
}

static double weight_of(const batch *b, sae_aux_style style)
{
    double mean[D] = {0}, spread = 0.0;
    if (style == SAE_AUX_SAELENS)
        return fmin((double)b->n_dead / K, 1.0) / ROWS;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < D; i++)
            mean[i] += e_scale * (double)b->e[r * STRIDE + i] / ROWS;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < D; i++)
            spread += pow(e_scale * (double)b->e[r * STRIDE + i] - mean[i], 2.0);
    return 1.0 / spread;
}

static void add_row(expected_aux *out, const batch *b, size_t r, sae_aux_style style, double weight)
{
    size_t chosen[K];
    double value[K], residual[D];
    size_t n = choose(chosen, value, b, r, style == SAE_AUX_DICTIONARY_LEARNING ? 0.0 : -INFINITY);
    for (size_t i = 0; i < D; i++) {
        residual[i] = e_scale * (double)b->e[r * STRIDE + i];
        for (size_t c = 0; c < n; c++)
            residual[i] -= value[c] * (double)b->p.W_dec[chosen[c] * D + i];
        out->loss += weight * residual[i] * residual[i];
    }
    for (size_t c = 0; c < n; c++) {
        size_t j = chosen[c];
        double g = 0.0, factor = -2.0 * coefficient * weight;
        for (size_t i = 0; i < D; i++)
            g += factor * residual[i] * (double)b->p.W_dec[j * D + i];
        for (size_t i = 0; i < D; i++) {
            out->W_dec[j * D + i] += factor * value[c] * residual[i];
            out->W_enc[j * D + i] += g * (double)b->xc[r * D + i];
            out->b_dec[i] -= g * (double)b->p.W_enc[j * D + i];
        }
        out->b_enc[j] += g;
    }
}

static expected_aux *expect(const batch *b, sae_aux_style style)
{
    expected_aux *out = calloc(1, sizeof *out);
    double norm2 = 0.0;
    ck_assert_ptr_nonnull(out);
    for (size_t r = 0; r < ROWS; r++)
        add_row(out, b, r, style, weight_of(b, style));
    for (size_t i = 0; i < F * D; i++)
        norm2 += out->W_enc[i] * out->W_enc[i] + out->W_dec[i] * out->W_dec[i];
    for (size_t j = 0; j < F; j++)
        norm2 += out->b_enc[j] * out->b_enc[j];
    out->norm = sqrt(norm2);
    return out;
}

static void assert_gradient(const saei_auxk *auxk, const batch *b, const expected_aux *expected)
{
    saei_parameters g;
    ck_assert_int_eq(saei_parameters_new(&g, context, D, F, 0, NULL), SAE_OK);
    for (size_t j = 0; j < F; j++) {
        saei_auxk_add_decoder(auxk, j, g.W_dec + j * D);
        saei_auxk_add_encoder(auxk, j, g.W_enc + j * D, g.b_enc + j, b->xc);
    }
    assert_array(g.W_enc, expected->W_enc, F * D, 1e-6, "W_enc");
    assert_array(g.W_dec, expected->W_dec, F * D, 1e-6, "W_dec");
    assert_array(g.b_enc, expected->b_enc, F, 1e-6, "b_enc");
    saei_auxk_add_b_dec(auxk, g.b_dec);
    assert_array(g.b_dec, expected->b_dec, D, 1e-6, "b_dec");
    saei_parameters_free(&g, context);
}

START_TEST(losses_and_gradients_equal_the_naive_ones)
{
    batch *b = batch_new(counts[(size_t)_i / 3].dead);
    size_t few = counts[(size_t)_i / 3].few;
    const saei_auxk_settings settings = {K, styles[_i % 3], coefficient, few};
    expected_aux *expected = expect(b, settings.style);
    saei_auxk auxk;
    ck_assert_int_eq(saei_auxk_new(&auxk, context, &settings, D, F, ROWS, NULL), SAE_OK);
    saei_auxk_set_dead(&auxk, b->silent, 1);
    ck_assert_uint_eq(auxk.n_dead, b->n_dead);
    assert_value(saei_auxk_run(&auxk, &b->p, NULL, NULL, b->xc, b->e, STRIDE, (float)e_scale), expected->loss,
                 1e-6, "loss");
    assert_gradient(&auxk, b, expected);
    ck_assert(saei_auxk_norm_bound(&auxk) >= expected->norm * (1.0 - 1e-6));
    ck_assert_int_eq(isinf(saei_auxk_norm_bound(&auxk)) != 0, b->n_dead > (few != 0 ? few : SAEI_AUXK_FEW));
    saei_auxk_free(&auxk);
    batch_free(b);
    free(expected);
}
END_TEST

static const saei_objective_settings peer_settings = {.architecture = &saei_topk_architecture,
                                                      .d = AUXK_D,
                                                      .n_latents = AUXK_LATENTS,
                                                      .k = AUXK_K,
                                                      .batch_rows = AUXK_ROWS,
                                                      .n_groups = 1,
                                                      .group_end = {AUXK_LATENTS},
                                                      .group_weight = 1.0,
                                                      .unit_rows = true,
                                                      .aux = {AUXK_K_AUX, SAE_AUX_LIBSAE, 1.0, 0}};

static void run_peer_case(objective_probe *probe, const saei_objective_settings *settings)
{
    uint64_t silent[AUXK_LATENTS] = {0};
    probe_new(probe, context, settings);
    memcpy(probe->parameters.W_enc, auxk_W_enc, sizeof auxk_W_enc);
    memcpy(probe->parameters.W_dec, auxk_W_dec, sizeof auxk_W_dec);
    memcpy(probe->parameters.b_enc, auxk_b_enc, sizeof auxk_b_enc);
    memcpy(probe->parameters.b_dec, auxk_b_dec, sizeof auxk_b_dec);
    for (size_t i = 0; i < AUXK_N_DEAD; i++)
        silent[auxk_dead[i]] = 1;
    saei_auxk_set_dead(&probe->objective.aux, silent, 1);
    probe_run(probe, auxk_x, 1.0f);
}

/* With e fixed at the latents that live, AuxK alone moves the dead ones; W_dec of the dead has its gradient
   along its rows, which unit length takes away. */
START_TEST(peer_case_has_its_numbers)
{
    objective_probe probe;
    run_peer_case(&probe, &peer_settings);
    ck_assert(probe.result.loss == auxk_reconstruction && probe.result.aux_loss == auxk_sparsify);
    for (size_t i = AUXK_D; i < AUXK_LATENTS * AUXK_D; i++) {
        ck_assert((double)probe.gradient.W_enc[i] == auxk_sparsify_grad_W_enc[i]);
        ck_assert(probe.gradient.W_dec[i] == 0.0f);
    }
    for (size_t j = 1; j < AUXK_LATENTS; j++)
        ck_assert((double)probe.gradient.b_enc[j] == auxk_sparsify_grad_b_enc[j]);
    probe_free(&probe);
    saei_objective_settings free_rows = peer_settings;
    free_rows.unit_rows = false;
    run_peer_case(&probe, &free_rows);
    for (size_t i = AUXK_D; i < AUXK_LATENTS * AUXK_D; i++)
        ck_assert((double)probe.gradient.W_dec[i] == auxk_sparsify_grad_W_dec[i]);
    probe_free(&probe);
    free_rows.aux.style = SAE_AUX_SAELENS;
    run_peer_case(&probe, &free_rows);
    ck_assert(probe.result.aux_loss == auxk_saelens);
    probe_free(&probe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auxk");
    TCase *tests = tcase_create("auxk");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, losses_and_gradients_equal_the_naive_ones, 0,
                        3 * sizeof counts / sizeof *counts);
    tcase_add_test(tests, peer_case_has_its_numbers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
