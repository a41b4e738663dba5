#include "diff/bootstrap.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { UNITS = 64 };

/* Latents over the same units, dense. */
typedef struct table {
    saei_effects effects;
    uint64_t ptr[9];
    uint32_t unit[8 * UNITS];
    double value[8 * UNITS];
} table;

static void fill_table(table *t, sae_context *context, bool paired, size_t n_y, size_t n_x, size_t n_latents,
                       const double *values)
{
    *t = (table){
        .effects = {.context = context, .paired = paired, .n_y = n_y, .n_x = n_x, .n_latents = n_latents}};
    t->effects.ptr = t->ptr;
    t->effects.unit = t->unit;
    t->effects.value = t->value;
    size_t units = saei_effects_units(&t->effects);
    for (size_t i = 0; i < n_latents * units; i++) {
        t->unit[i] = (uint32_t)(i % units);
        t->value[i] = values[i];
    }
    for (size_t j = 0; j <= n_latents; j++)
        t->ptr[j] = j * units;
}

/* Share of the 2^n sign patterns with |T| at least that of the data. */
static double exact_sign_flips(const double *d, size_t n)
{
    double observed = 0, hits = 0;
    for (size_t i = 0; i < n; i++)
        observed += d[i];
    for (unsigned pattern = 0; pattern < 1u << n; pattern++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += pattern >> i & 1 ? d[i] : -d[i];
        hits += fabs(sum) >= fabs(observed) * (1 - 1e-12);
    }
    return hits / (double)(1u << n);
}

/* Share of the splits of n_y + n_x values with |mean difference| at least that of the data. */
static double exact_labels(const double *v, size_t n_y, size_t n_x)
{
    size_t n = n_y + n_x;
    double observed = 0, hits = 0, splits = 0;
    for (int pass = 0; pass < 2; pass++)
        for (unsigned pattern = 0; pattern < 1u << n; pattern++) {
            if ((size_t)__builtin_popcount(pattern) != n_y || (pass == 0 && pattern != (1u << n_y) - 1))
                continue;
            double t = 0;
            for (size_t i = 0; i < n; i++)
                t += pattern >> i & 1 ? v[i] / (double)n_y : -v[i] / (double)n_x;
            if (pass == 0)
                observed = t;
            else
                hits += fabs(t) >= fabs(observed) * (1 - 1e-12);
            splits += pass;
        }
    return hits / splits;
}

static void assert_p(double p, double exact, double draws)
{
    /* Six standard errors of the Monte Carlo share, wide enough for the sequential rule at 100 exceedances.
     */
    double settled = exact * draws > SAEI_EXCEEDANCES ? SAEI_EXCEEDANCES : exact * draws;
    double tolerance = 6 * exact / sqrt(settled);
    ck_assert_msg(fabs(p - exact) <= tolerance, "p %g, exact %g ± %g", p, exact, tolerance);
}

START_TEST(sign_flips_agree_with_enumeration)
{
    sae_context *context = toy_context(2);
    static table t;
    const double d[24] = {1.0, 2.0, 0.5, 3.0,  1.5, 2.5,  0.7, 1.1,  1.0, -2.0, 0.5,  3.0,
                          1.5, 0.1, 0.7, -1.1, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.25, 0.125};
    fill_table(&t, context, true, 8, 8, 3, d);
    double p[3];
    saei_resampling r = {.seed = 5, .draws = 100000};
    ck_assert_int_eq(saei_permutation_p(p, &t.effects, &r, NULL), SAE_OK);
    for (size_t j = 0; j < 3; j++)
        assert_p(p[j], exact_sign_flips(d + 8 * j, 8), 100000);
    sae_context_free(context);
}
END_TEST

START_TEST(label_permutations_agree_with_enumeration)
{
    sae_context *context = toy_context(2);
    static table t;
    const double v[20] = {5.0, 4.0, 6.0, 3.5, 1.0, 2.0, 0.5, 0.0, 1.5, 2.5,
                          1.0, 4.0, 2.0, 3.5, 1.0, 2.0, 0.5, 3.0, 1.5, 2.5};
    for (size_t n_y = 4; n_y <= 6; n_y += 2) {
        fill_table(&t, context, false, n_y, 10 - n_y, 2, v);
        double p[2];
        saei_resampling r = {.seed = 5, .draws = 100000};
        ck_assert_int_eq(saei_permutation_p(p, &t.effects, &r, NULL), SAE_OK);
        for (size_t j = 0; j < 2; j++)
            assert_p(p[j], exact_labels(v + 10 * j, n_y, 10 - n_y), 100000);
    }
    sae_context_free(context);
}
END_TEST

START_TEST(p_is_never_zero_and_silence_is_one)
{
    sae_context *context = toy_context(1);
    static table t;
    double d[UNITS];
    for (size_t i = 0; i < UNITS; i++)
        d[i] = 1;
    fill_table(&t, context, true, UNITS, UNITS, 1, d);
    t.effects.n_latents = 2;
    t.ptr[2] = t.ptr[1];
    double p[2];
    saei_resampling r = {.seed = 0, .draws = 999};
    ck_assert_int_eq(saei_permutation_p(p, &t.effects, &r, NULL), SAE_OK);
    ck_assert_double_eq(p[0], 1.0 / 1000);
    ck_assert_double_eq(p[1], 1);
    sae_context_free(context);
}
END_TEST

/* Values that cancel exceed in every draw: the test stops at the 100th with p = 100 / 100. */
START_TEST(settled_latents_stop_early)
{
    sae_context *context = toy_context(1);
    static table t;
    const double d[2] = {1, -1};
    fill_table(&t, context, true, 2, 2, 1, d);
    double p;
    saei_resampling r = {.seed = 0, .draws = 1000000};
    ck_assert_int_eq(saei_permutation_p(&p, &t.effects, &r, NULL), SAE_OK);
    ck_assert_double_eq(p, 1);
    sae_context_free(context);
}
END_TEST

/* Of n zeros and ones, half of each, a draw has a binomial number K of ones, and |t| grows with |K - n / 2|:
 * its quantile is that of K. */
START_TEST(paired_bootstrap_of_a_proportion_is_binomial)
{
    sae_context *context = toy_context(2);
    static table t;
    double d[UNITS] = {0};
    for (size_t i = 0; i < UNITS; i += 2)
        d[i] = 1;
    fill_table(&t, context, true, UNITS, UNITS, 1, d);
    double low, high;
    saei_resampling r = {.seed = 3, .draws = 20000};
    ck_assert_int_eq(saei_bootstrap_interval(&low, &high, &t.effects, 0.95, &r, NULL), SAE_OK);
    /* scipy.stats.binom(64, 0.5).ppf([0.025, 0.975]) = 24, 40; se is the same function of K and of the data.
     */
    double half = 8.0 / UNITS * sqrt(0.5 * 0.5) / sqrt(24.0 / UNITS * 40.0 / UNITS);
    assert_close(low, 0.5 - half, 1e-12, "low");
    assert_close(high, 0.5 + half, 1e-12, "high");
    sae_context_free(context);
}
END_TEST

/* Mean and variance of the bootstrapped difference are those of theory: Σ (v − v̄)² / n² on each side; a
 * draw's own squared error has this mean too. */
START_TEST(unpaired_bootstrap_resamples_each_side)
{
    enum { MANY = 20000 };
    sae_context *context = toy_context(2);
    static table t;
    double v[UNITS], mean[2] = {0}, variance = 0, drawn = 0, squares = 0, errors = 0;
    for (size_t i = 0; i < UNITS; i++)
        v[i] = i < 40 ? 3 + (double)(i % 5) : (double)(i % 3);
    fill_table(&t, context, false, 40, 24, 1, v);
    for (size_t i = 0; i < UNITS; i++)
        mean[i >= 40] += v[i] / (i < 40 ? 40 : 24);
    for (size_t i = 0; i < UNITS; i++)
        variance += pow((v[i] - mean[i >= 40]) / (i < 40 ? 40 : 24), 2);
    saei_resampling r = {.seed = 3, .draws = MANY};
    saei_bootstrap bootstrap;
    const uint32_t latent = 0;
    ck_assert_int_eq(saei_bootstrap_alloc(&bootstrap, &t.effects, 1, &r, NULL), SAE_OK);
    ck_assert_int_eq(saei_bootstrap_fill(&bootstrap, &latent, 1, NULL), SAE_OK);
    for (size_t b = 0; b < MANY; b++) {
        drawn += bootstrap.estimate[b] / MANY;
        squares += bootstrap.estimate[b] * bootstrap.estimate[b] / MANY;
        errors += bootstrap.se[b] * bootstrap.se[b] / MANY;
    }
    /* Five Monte Carlo errors. */
    assert_close(drawn, mean[0] - mean[1], 5 * sqrt(variance / MANY) / (mean[0] - mean[1]), "mean");
    assert_close(squares - drawn * drawn, variance, 5 * sqrt(2.0 / MANY), "variance");
    assert_close(errors, variance, 5 * sqrt(2.0 / MANY), "squared errors");
    saei_bootstrap_release(&bootstrap);
    sae_context_free(context);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    static table t;
    double d[8 * UNITS], p[3][2][8], low[3][2][8], high[3][2][8];
    for (size_t i = 0; i < 8 * UNITS; i++)
        d[i] = sin((double)i) + 0.1 * (double)(i / UNITS);
    for (unsigned threads = 1; threads <= 3; threads++)
        for (int paired = 0; paired <= 1; paired++) {
            sae_context *context = toy_context(threads);
            fill_table(&t, context, paired != 0, paired ? UNITS : 40, paired ? UNITS : 24, 8, d);
            saei_resampling r = {.seed = 9, .draws = 5000};
            unsigned i = threads - 1;
            ck_assert_int_eq(saei_permutation_p(p[i][paired], &t.effects, &r, NULL), SAE_OK);
            ck_assert_int_eq(
                saei_bootstrap_interval(low[i][paired], high[i][paired], &t.effects, 0.9, &r, NULL), SAE_OK);
            ck_assert_uint_eq(sae_context_memory_used(context), 0);
            sae_context_free(context);
        }
    for (unsigned i = 1; i < 3; i++) {
        ck_assert_mem_eq(p[i], p[0], sizeof p[0]);
        ck_assert_mem_eq(low[i], low[0], sizeof low[0]);
        ck_assert_mem_eq(high[i], high[0], sizeof high[0]);
    }
}
END_TEST

/* Integer-valued, so exact in any order. */
START_TEST(draw_sums_are_exact)
{
    static _Alignas(64) double weights[16 * SAEI_DRAWS];
    _Alignas(64) double out[SAEI_DRAWS];
    const uint32_t unit[3] = {1, 7, 15};
    const double value[3] = {3, -5, 11};
    for (int i = 0; i < 16 * SAEI_DRAWS; i++)
        weights[i] = (double)(i * 7919 % 1009);
    saei_draw_sums(out, weights, unit, value, 3);
    for (size_t b = 0; b < SAEI_DRAWS; b++)
        ck_assert_double_eq(out[b], 3 * weights[SAEI_DRAWS + b] - 5 * weights[7 * SAEI_DRAWS + b] +
                                        11 * weights[15 * SAEI_DRAWS + b]);
}
END_TEST

static int stop_at_once(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return 1;
}

START_TEST(progress_stops)
{
    sae_context *context = toy_context(1);
    static table t;
    const double d[4] = {1, 2, 3, 4};
    fill_table(&t, context, true, 4, 4, 1, d);
    double p, low, high;
    saei_resampling r = {.seed = 0, .draws = 1000, .progress = stop_at_once};
    ck_assert_int_eq(saei_permutation_p(&p, &t.effects, &r, NULL), SAE_STOPPED);
    ck_assert_int_eq(saei_bootstrap_interval(&low, &high, &t.effects, 0.95, &r, NULL), SAE_STOPPED);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resample");
    TCase *tests = tcase_create("resample");
    tcase_add_test(tests, sign_flips_agree_with_enumeration);
    tcase_add_test(tests, label_permutations_agree_with_enumeration);
    tcase_add_test(tests, p_is_never_zero_and_silence_is_one);
    tcase_add_test(tests, settled_latents_stop_early);
    tcase_add_test(tests, paired_bootstrap_of_a_proportion_is_binomial);
    tcase_add_test(tests, unpaired_bootstrap_resamples_each_side);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_test(tests, draw_sums_are_exact);
    tcase_add_test(tests, progress_stops);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
