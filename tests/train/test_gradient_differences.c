/* The gradient of every architecture against central differences of its loss, written here in double and
   naively. The supports of the codes and the constants of AuxK stay as they are at the point; thresholds,
   whose gradient is an estimate, are compared with its formula. Inputs are multiples of 1/16, so that float32
   pre-activations are exact. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "objective_probe.h"

enum { D = 8, F = 24, ROWS = 48, K = 3, DEAD = 7, COUNT_MAX = (2 * D + 1 + SAEI_EXTRAS_MAX) * F + D };

static const double aux_coefficient = 2.0;

typedef struct variant {
    const char *name;
    const saei_architecture *architecture;
    saei_penalty penalty;
    bool unit_rows, raw_input, detached_gate, rank_by_decoder_norm;
    size_t aux_k;
    sae_aux_style aux_style;
    size_t n_groups;
    double group_weight, pre_act;
} variant;

static const variant variants[] = {
    {"relu", &saei_relu_architecture, .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4},
     .unit_rows = true},
    {"relu by norm", &saei_relu_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1_DECODER_NORM, .coefficient = 0.4}},
    {"topk", &saei_topk_architecture, .unit_rows = true, .aux_k = 3, .aux_style = SAE_AUX_LIBSAE},
    {"topk dl", &saei_topk_architecture, .aux_k = 3, .aux_style = SAE_AUX_DICTIONARY_LEARNING},
    {"topk saelens", &saei_topk_architecture, .aux_k = 9, .aux_style = SAE_AUX_SAELENS},
    {"topk ranked", &saei_topk_architecture, .rank_by_decoder_norm = true, .aux_k = 3,
     .aux_style = SAE_AUX_SAELENS},
    {"batchtopk ranked", &saei_batchtopk_architecture, .rank_by_decoder_norm = true, .aux_k = 9,
     .aux_style = SAE_AUX_SAELENS},
    {"matryoshka ranked", &saei_matryoshka_architecture, .rank_by_decoder_norm = true, .n_groups = 3,
     .group_weight = 1.0, .aux_k = 3, .aux_style = SAE_AUX_SAELENS},
    {"batchtopk", &saei_batchtopk_architecture, .raw_input = true, .aux_k = 3},
    {"matryoshka", &saei_matryoshka_architecture, .n_groups = 3, .group_weight = 1.0, .aux_k = 3},
    {"matryoshka mean", &saei_matryoshka_architecture, .unit_rows = true, .n_groups = 3,
     .group_weight = 1.0 / 3},
    {"gated", &saei_gated_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1_DECODER_NORM, .coefficient = 0.4}},
    {"gated detached", &saei_gated_architecture, .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4},
     .unit_rows = true, .detached_gate = true},
    {"p_anneal", &saei_p_anneal_architecture,
     .penalty = {.kind = SAE_SPARSITY_L1, .coefficient = 0.4, .p = 0.6f, .p_next = 0.5f}},
    {"p_anneal root", &saei_p_anneal_architecture,
     .penalty = {.kind = SAE_SPARSITY_LP_ROOT, .coefficient = 0.4, .p = 0.6f, .p_next = 0.5f}},
    {"tanh", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TANH, .coefficient = 0.4, .bandwidth = 0.25f}},
    {"step", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_STEP, .coefficient = 0.4, .bandwidth = 0.25f}},
    {"tanh and pre-activations", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TANH, .coefficient = 0.4, .bandwidth = 0.25f}, .pre_act = 0.5},
    {"step and pre-activations", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_STEP, .coefficient = 0.4, .bandwidth = 0.25f}, .raw_input = true,
     .pre_act = 0.5},
    {"target of codes", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TARGET_L0_CODES, .coefficient = 0.4, .bandwidth = 0.75f}},
    {"target", &saei_jumprelu_architecture,
     .penalty = {.kind = SAE_SPARSITY_TARGET_L0, .coefficient = 0.4, .bandwidth = 0.25f}, .unit_rows = true,
     .raw_input = true},
};

static saei_objective_settings settings_of(const variant *v)
{
    saei_objective_settings s = {.architecture = v->architecture,
                                 .d = D,
                                 .n_latents = F,
                                 .k = K,
                                 .batch_rows = ROWS,
                                 .n_groups = 1,
                                 .group_end = {F},
                                 .group_weight = 1.0,
                                 .target_l0 = 3.0,
                                 .pre_act_coefficient = v->pre_act,
                                 .raw_input = v->raw_input,
                                 .unit_rows = v->unit_rows,
                                 .detached_gate = v->detached_gate,
                                 .rank_by_decoder_norm = v->rank_by_decoder_norm,
                                 .root_penalty = v->penalty.kind == SAE_SPARSITY_LP_ROOT,
                                 .aux = {v->aux_k, v->aux_style, aux_coefficient, 0}};
    if (v->n_groups == 0)
        return s;
    const size_t ends[] = {F / 4, F / 2, F};
    s.n_groups = v->n_groups;
    s.group_weight = v->group_weight;
    memcpy(s.group_end, ends, sizeof ends);
    return s;
}

/* A multiple of 1/16 in ±limit/16 */
static float sixteenths(saei_rng *rng, uint64_t limit)
{
    return ((float)saei_rng_below(rng, 2 * limit + 1) - (float)limit) / 16.0f;
}

static void fill(float *x, saei_parameters *p, const variant *v)
{
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        x[i] = 1.0f + sixteenths(&rng, 24);
    for (size_t i = 0; i < p->count; i++)
        p->all[i] = sixteenths(&rng, 6);
    for (size_t j = 0; j < F; j++) {
        float *w = p->W_dec + j * D, norm2 = 0.0f;
        w[j % D] += 0.5f;
        for (size_t i = 0; i < D; i++)
            norm2 += w[i] * w[i];
        for (size_t i = 0; i < D && v->unit_rows; i++)
            w[i] /= sqrtf(norm2);
        if (v->architecture == &saei_jumprelu_architecture)
            p->extra[0][j] = 0.25f + (float)(j % 5) / 16.0f;
    }
}

/* The point at which all is differentiated, and what does not change around it. */
typedef struct point {
    const saei_objective_settings *s;
    const saei_penalty *penalty;
    const float *x;
    double base[COUNT_MAX];
    bool on[ROWS][F], aux_on[ROWS][F], pulled[ROWS][F]; /* the last: dead, and below its threshold */
    double aux_e[ROWS][D], aux_weight;
} point;

static const double *b_dec_of(const point *at, const double *p)
{
    return p + (2 * D + 1 + at->s->architecture->n_extra) * F;
}

static double pre_of(const point *at, const double *p, const double *b_dec, size_t r, size_t j)
{
    double sum = p[2 * F * D + j];
    for (size_t i = 0; i < D; i++)
        sum += ((double)at->x[r * D + i] - (at->s->raw_input ? 0.0 : b_dec[i])) * p[j * D + i];
    return sum;
}

static double decoder_norm(const double *p, size_t j)
{
    double norm2 = 0.0;
    for (size_t i = 0; i < D; i++)
        norm2 += p[F * D + j * D + i] * p[F * D + j * D + i];
    return sqrt(norm2);
}

/* Entry i of decoder row j; rows of unit length are so by being divided by their length. */
static double decoder(const point *at, const double *p, size_t j, size_t i)
{
    return p[F * D + j * D + i] / (at->s->unit_rows ? decoder_norm(p, j) : 1.0);
}

static double code_of(const point *at, const double *p, size_t r, size_t j, double pre)
{
    const double *extra = p + (2 * D + 1) * F;
    if (!at->on[r][j])
        return 0.0;
    if (at->s->architecture != &saei_gated_architecture)
        return pre;
    double magnitude = exp(extra[j]) * (pre - p[2 * F * D + j]) + extra[F + j];
    return magnitude > 0.0 ? magnitude : 0.0;
}

/* x − b_dec − Σ_{j < end} f_j w_j of the decoder in q */
static void residual(double *e, const point *at, const double *q, const double *f, size_t r, size_t end)
{
    for (size_t i = 0; i < D; i++) {
        e[i] = (double)at->x[r * D + i] - b_dec_of(at, q)[i];
        for (size_t j = 0; j < end; j++)
            e[i] -= f[j] != 0.0 ? f[j] * decoder(at, q, j, i) : 0.0;
    }
}

static double squares(const double *e)
{
    double sum = 0.0;
    for (size_t i = 0; i < D; i++)
        sum += e[i] * e[i];
    return sum;
}

static double term_of(const point *at, const double *p, size_t j, double f)
{
    double norm = at->s->unit_rows ? 1.0 : decoder_norm(p, j);
    if (at->s->architecture == &saei_p_anneal_architecture)
        return f > 0.0 ? pow(f, (double)at->penalty->p) : 0.0;
    switch (at->penalty->kind) {
    case SAE_SPARSITY_L1:
        return f;
    case SAE_SPARSITY_L1_DECODER_NORM:
        return f * norm;
    case SAE_SPARSITY_TANH:
        return tanh(4.0 * f * norm);
    default:
        return 0.0; /* counts do not change around the point */
    }
}

/* The p-th root of what the terms of a row add up to, where the penalty has it. */
static double root_of(const point *at, double sum, double p)
{
    return at->penalty->kind == SAE_SPARSITY_LP_ROOT ? pow(sum, 1.0 / p) : sum;
}

static double aux_of(const point *at, const double *p, size_t r)
{
    double e[D];
    memcpy(e, at->aux_e[r], sizeof e);
    for (size_t j = 0; j < F; j++)
        if (at->aux_on[r][j]) {
            double a = pre_of(at, p, b_dec_of(at, p), r, j);
            for (size_t i = 0; i < D; i++)
                e[i] -= a * decoder(at, p, j, i);
        }
    return aux_coefficient * at->aux_weight * squares(e);
}

/* relu(θ − pre) ‖w_dec‖ of the dead latents */
static double pre_act_of(const point *at, const double *p, size_t r)
{
    double sum = 0.0;
    for (size_t j = 0; j < F; j++)
        if (at->pulled[r][j])
            sum += (p[(2 * D + 1) * F + j] - pre_of(at, p, b_dec_of(at, p), r, j)) * decoder_norm(p, j);
    return sum;
}

static double row_loss(const point *at, const double *p, size_t r)
{
    double f[F], gate[F], e[D], loss = 0.0, sparsity = 0.0;
    bool gated = at->s->architecture == &saei_gated_architecture;
    for (size_t j = 0; j < F; j++) {
        double pre = pre_of(at, p, b_dec_of(at, p), r, j);
        f[j] = code_of(at, p, r, j, pre);
        gate[j] = at->on[r][j] ? pre : 0.0;
        sparsity += term_of(at, p, j, gated ? gate[j] : f[j]);
    }
    for (size_t g = 0; g < at->s->n_groups; g++) {
        residual(e, at, p, f, r, at->s->group_end[g]);
        loss += at->s->group_weight * squares(e);
    }
    if (gated) {
        residual(e, at, at->s->detached_gate ? at->base : p, gate, r, F);
        loss += squares(e);
    }
    sparsity = root_of(at, sparsity, (double)at->penalty->p);
    loss += at->penalty->coefficient * sparsity + at->s->pre_act_coefficient * pre_act_of(at, p, r);
    return loss / ROWS + aux_of(at, p, r);
}

static double loss_of(const point *at, const double *p)
{
    double loss = 0.0;
    for (size_t r = 0; r < ROWS; r++)
        loss += row_loss(at, p, r);
    return loss;
}

/* Choices among many are taken from the library, where the PyTorch fixtures have settled them. */
static void find_supports(point *at, const objective_probe *probe)
{
    const saei_objective *o = &probe->objective;
    const double *threshold = at->base + (2 * D + 1) * F;
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t j = 0; j < F && at->s->architecture->selection == SAEI_SELECT_ABOVE_FLOOR; j++)
            at->on[r][j] = pre_of(at, at->base, b_dec_of(at, at->base), r, j) >
                           (at->s->architecture == &saei_jumprelu_architecture ? threshold[j] : 0.0);
        for (size_t i = 0; i < o->codes.count[r] && at->s->architecture->selection != SAEI_SELECT_ABOVE_FLOOR;
             i++)
            at->on[r][o->codes.latent[r * o->slots + i]] = true;
        for (size_t j = 0; j < F && o->dead != NULL; j++)
            at->pulled[r][j] =
                o->dead[j] && pre_of(at, at->base, b_dec_of(at, at->base), r, j) < threshold[j];
        for (size_t i = 0; i < at->s->aux.k && i < o->aux.codes.count[r]; i++)
            at->aux_on[r][o->aux.dead[o->aux.codes.latent[r * at->s->aux.k + i]]] = true;
    }
}

/* What AuxK divides by: Σ‖e − mean e‖², or the rows with SAELens' share of the dead latents. */
static void fix_aux(point *at)
{
    double mean[D] = {0}, spread = 0.0, f[F];
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t j = 0; j < F; j++)
            f[j] = code_of(at, at->base, r, j, pre_of(at, at->base, b_dec_of(at, at->base), r, j));
        residual(at->aux_e[r], at, at->base, f, r, F);
        for (size_t i = 0; i < D; i++)
            mean[i] += at->aux_e[r][i] / ROWS;
    }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < D; i++)
            spread += pow(at->aux_e[r][i] - mean[i], 2.0);
    at->aux_weight = at->s->aux.k == 0 ? 0.0
                     : at->s->aux.style != SAE_AUX_SAELENS
                         ? 1.0 / spread
                         : fmin((double)DEAD / (double)at->s->aux.k, 1.0) / ROWS;
}

/* −1/ε Σ (θ ∂loss/∂f + weight of the step) over the entries within ε/2 of the threshold */
static double threshold_gradient(const point *at, size_t j)
{
    const double *p = at->base, *b_dec = b_dec_of(at, p);
    double theta = p[(2 * D + 1) * F + j], width = (double)at->penalty->bandwidth, sum = 0.0, active = 0.0;
    double norm = decoder_norm(p, j), lambda = at->penalty->coefficient / ROWS, step = lambda;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < F; i++)
            active += at->on[r][i];
    if (saei_penalty_aims_at_l0(at->penalty->kind))
        step *= 2.0 * (active / ROWS / at->s->target_l0 - 1.0) / at->s->target_l0;
    for (size_t r = 0; r < ROWS; r++) {
        double f[F], e[D], pre = pre_of(at, p, b_dec, r, j), g = 0.0;
        sum += at->pulled[r][j] ? at->s->pre_act_coefficient / ROWS * norm : 0.0;
        if (at->penalty->kind == SAE_SPARSITY_TARGET_L0_CODES)
            sum -= fabs(code_of(at, p, r, j, pre) - theta) < 0.5 * width ? step / width : 0.0;
        if (!(fabs(pre - theta) < 0.5 * width))
            continue;
        for (size_t i = 0; i < F; i++)
            f[i] = code_of(at, p, r, i, pre_of(at, p, b_dec, r, i));
        residual(e, at, p, f, r, F);
        for (size_t i = 0; i < D; i++)
            g -= 2.0 / ROWS * e[i] * decoder(at, p, j, i);
        if (at->penalty->kind == SAE_SPARSITY_TANH)
            g += lambda * 4.0 * norm / pow(cosh(4.0 * f[j] * norm), 2.0);
        bool of_pre = at->penalty->kind == SAE_SPARSITY_STEP || at->penalty->kind == SAE_SPARSITY_TARGET_L0;
        sum -= (theta * g + (of_pre ? step : 0.0)) / width;
    }
    return sum;
}

static void differentiate(double *out, point *at, size_t count)
{
    const double h = 1e-6;
    double p[COUNT_MAX];
    memcpy(p, at->base, sizeof p);
    for (size_t i = 0; i < count; i++) {
        p[i] = at->base[i] + h;
        double up = loss_of(at, p);
        p[i] = at->base[i] - h;
        out[i] = (up - loss_of(at, p)) / (2.0 * h);
        p[i] = at->base[i];
    }
    for (size_t j = 0; j < F && at->s->architecture == &saei_jumprelu_architecture; j++)
        out[(2 * D + 1) * F + j] = threshold_gradient(at, j);
}

static void assert_near(const saei_parameters *g, const double *expected, const char *name)
{
    const double tolerance = 1e-6;
    assert_array(g->W_enc, expected, F * D, tolerance, name);
    assert_array(g->W_dec, expected + F * D, F * D, tolerance, name);
    for (size_t i = 0; i <= g->n_extra; i++)
        assert_array(g->b_enc + i * F, expected + 2 * F * D + i * F, F, tolerance, name);
    assert_array(g->b_dec, expected + (2 * D + 1 + g->n_extra) * F, D, tolerance, name);
}

/* The penalty with p over that with p_next: what p-anneal multiplies its λ by. */
static void assert_p_ratio(const point *at, const objective_probe *probe)
{
    double now = 0.0, next = 0.0;
    double p = (double)at->penalty->p, p_next = (double)at->penalty->p_next;
    for (size_t r = 0; r < ROWS; r++) {
        double row = 0.0, row_next = 0.0;
        for (size_t j = 0; j < F; j++) {
            double f = code_of(at, at->base, r, j, pre_of(at, at->base, b_dec_of(at, at->base), r, j));
            row += f > 0.0 ? pow(f, p) : 0.0;
            row_next += f > 0.0 ? pow(f, p_next) : 0.0;
        }
        now += root_of(at, row, p);
        next += root_of(at, row_next, p_next);
    }
    assert_value(saei_objective_p_ratio(&probe->objective, &probe->penalty), now / next, 1e-9, "p ratio");
}

START_TEST(gradient_equals_central_differences)
{
    const variant *v = &variants[_i];
    saei_objective_settings settings = settings_of(v);
    objective_probe probe;
    float x[ROWS * D];
    uint64_t silent[F] = {0};
    double expected[COUNT_MAX];
    point *at = calloc(1, sizeof *at);
    ck_assert_ptr_nonnull(at);
    probe_new(&probe, context, &settings);
    probe.penalty = v->penalty;
    fill(x, &probe.parameters, v);
    for (size_t i = 0; i < DEAD; i++)
        silent[3 * i + 1] = 1;
    saei_objective_set_dead(&probe.objective, silent, 1);
    probe_run(&probe, x, 1.0f);
    at->s = &settings;
    at->penalty = &v->penalty;
    at->x = x;
    for (size_t i = 0; i < probe.parameters.count; i++)
        at->base[i] = (double)probe.parameters.all[i];
    find_supports(at, &probe);
    fix_aux(at);
    differentiate(expected, at, probe.parameters.count);
    assert_near(&probe.gradient, expected, v->name);
    if (v->architecture == &saei_p_anneal_architecture)
        assert_p_ratio(at, &probe);
    free(at);
    probe_free(&probe);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradient differences");
    TCase *tests = tcase_create("gradient differences");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, gradient_equals_central_differences, 0, sizeof variants / sizeof *variants);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
