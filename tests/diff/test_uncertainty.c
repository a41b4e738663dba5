#include "diff/multiplicity.h"
#include "diff/confirmation.h"
#include "diff/contrast.h"
#include "diff/family.h"
#include "diff/score.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

/* As in make_uncertainty_fixtures.py. */
enum { SEED = 11, DRAWS = 700, TOP = 5, SELECT = 4 };
static const double confidence = 0.9;

/* One comparison of the fixture. */
typedef struct comparison {
    sae_context *context;
    saei_effects *effects;
    double *y, *x, *y_id, *x_id;
    saei_resampling resampling;
    sae_direction direction;
} comparison;

static double *part(const char *name, const char *what, size_t *n)
{
    char full[64];
    snprintf(full, sizeof full, "%s_%s", name, what);
    return fixture(UNCERTAINTY_FIXTURES, full, n);
}

static void put_unit(saei_effects *effects, uint64_t *n, size_t unit, double value)
{
    if (value == 0)
        return;
    effects->unit[*n] = (uint32_t)unit;
    effects->value[(*n)++] = value;
}

static void open_comparison(comparison *c, const char *name, bool paired, unsigned threads)
{
    size_t values_y, values_x, n[2];
    c->context = toy_context(threads);
    c->y = part(name, "y", &values_y);
    c->x = part(name, "x", &values_x);
    c->y_id = part(name, "y_id", &n[0]);
    c->x_id = part(name, "x_id", &n[1]);
    c->resampling = (saei_resampling){.seed = SEED, .draws = DRAWS};
    c->direction = paired ? SAE_RISING : SAE_BOTH;
    size_t latents = values_y / n[0];
    ck_assert_int_eq(
        saei_effects_alloc(&c->effects, c->context, paired, n, latents, values_y + values_x, NULL), SAE_OK);
    uint64_t at = 0;
    for (size_t j = 0; j < latents; j++) {
        for (size_t p = 0; p < n[0]; p++)
            put_unit(c->effects, &at, p, c->y[p * latents + j] - (paired ? c->x[p * latents + j] : 0));
        for (size_t p = 0; p < n[1] && !paired; p++)
            put_unit(c->effects, &at, n[0] + p, c->x[p * latents + j]);
        c->effects->ptr[j + 1] = at;
        c->effects->fires[j] = at > c->effects->ptr[j];
    }
}

static void close_comparison(comparison *c)
{
    saei_effects_free(c->effects);
    ck_assert_uint_eq(sae_context_memory_used(c->context), 0);
    sae_context_free(c->context);
    free(c->y);
    free(c->x);
    free(c->y_id);
    free(c->x_id);
}

static void check(const char *name, const char *what, const double *got, size_t n_got)
{
    size_t n;
    double *wanted = part(name, what, &n);
    ck_assert_uint_eq(n, n_got);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i], wanted[i], 1e-9, what);
    free(wanted);
}

static const char *const names[2] = {"unpaired", "paired"};

START_TEST(intervals_and_ranks_are_those_of_numpy)
{
    comparison c;
    open_comparison(&c, names[_i], _i == 1, 2);
    size_t n = c.effects->n_latents, n_top;
    double low[16], high[16], top_low[TOP], top_high[TOP];
    double *latent = part(names[_i], "rank_latent", &n_top);
    uint32_t candidates[TOP];
    ck_assert_uint_eq(n_top, TOP);
    for (size_t i = 0; i < TOP; i++)
        candidates[i] = (uint32_t)latent[i];
    saei_rank_race race;
    saei_rank_interval ranks[TOP];
    ck_assert_int_eq(
        saei_rank_race_alloc(&race, c.effects, candidates, TOP, c.direction, &c.resampling, NULL), SAE_OK);
    ck_assert_int_eq(
        saei_bootstrap_interval_and_race(low, high, &race, c.effects, confidence, &c.resampling, NULL),
        SAE_OK);
    saei_rank_race_finish(ranks, &race, confidence);
    saei_rank_race_release(&race);
    check(names[_i], "low", low, n);
    check(names[_i], "high", high, n);
    for (size_t i = 0; i < TOP; i++) {
        top_low[i] = ranks[i].low;
        top_high[i] = ranks[i].high;
    }
    check(names[_i], "rank_low", top_low, TOP);
    check(names[_i], "rank_high", top_high, TOP);
    free(latent);
    close_comparison(&c);
}
END_TEST

START_TEST(permutation_p_are_those_of_numpy)
{
    comparison c;
    open_comparison(&c, names[_i], _i == 1, 2);
    size_t n = c.effects->n_latents;
    double p[16];
    for (size_t j = 0; j < n; j++)
        p[j] = saei_permutation_sd(c.effects, j);
    check(names[_i], "sd", p, n);
    ck_assert_int_eq(saei_family_p(p, c.effects, &c.resampling, NULL), SAE_OK);
    check(names[_i], "family", p, n);
    ck_assert_int_eq(saei_permutation_p(p, c.effects, &c.resampling, NULL), SAE_OK);
    check(names[_i], "p", p, n);
    close_comparison(&c);
}
END_TEST

START_TEST(halves_are_those_of_numpy)
{
    comparison c;
    open_comparison(&c, names[_i], _i == 1, 2);
    size_t units = saei_effects_units(c.effects), n = 0, wanted;
    bool second[64];
    double got[64];
    ck_assert_int_eq(saei_split_prompts(second, c.y_id, c.effects->n_y, c.x_id, _i == 1 ? 0 : c.effects->n_x,
                                        SEED, c.context, NULL),
                     SAE_OK);
    for (size_t u = 0; u < units; u++)
        got[u] = second[u];
    check(names[_i], "second", got, units);
    saei_confirmation confirmed[16];
    saei_confirmation_options options = {
        .select = SELECT, .direction = c.direction, .resampling = c.resampling};
    ck_assert_int_eq(saei_confirm(confirmed, c.effects, second, &options, NULL), SAE_OK);
    for (size_t j = 0; j < c.effects->n_latents; j++)
        if (!isnan(confirmed[j].p)) {
            got[n++] = (double)j;
            got[n++] = confirmed[j].estimate;
            got[n++] = confirmed[j].p;
        }
    free(part(names[_i], "heldout", &wanted));
    ck_assert(wanted >= 3 * SELECT);
    check(names[_i], "heldout", got, n);
    close_comparison(&c);
}
END_TEST

START_TEST(holm_is_that_of_statsmodels)
{
    sae_context *context = toy_context(1);
    size_t n, m;
    double *p = fixture(UNCERTAINTY_FIXTURES, "holm_p", &n);
    double *wanted = fixture(UNCERTAINTY_FIXTURES, "holm_adjusted", &m), got[64];
    ck_assert_int_eq(saei_holm(got, p, n, context, NULL), SAE_OK);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i], wanted[i], 1e-12, "Holm");
    free(p);
    free(wanted);
    sae_context_free(context);
}
END_TEST

/* All 2^n sign patterns of the maximum, against many draws of it. */
START_TEST(maximum_agrees_with_enumeration)
{
    enum { N = 9, LATENTS = 4, MANY = 100000 };
    const double d[LATENTS][N] = {{2, 1, 3, 2, 1, 2, 1, 3, 2},
                                  {1, 2, -1, 3, 2, 0, 1, 2, 0},
                                  {50, -20, 30, 0, 0, 10, 0, 40, 20},
                                  {0, 0, 0, 0, 0, 0, 0, 0, 0}};
    sae_context *context = toy_context(2);
    saei_effects *effects;
    const size_t n[2] = {N, N};
    ck_assert_int_eq(saei_effects_alloc(&effects, context, true, n, LATENTS, (size_t)LATENTS * N, NULL),
                     SAE_OK);
    uint64_t at = 0;
    for (size_t j = 0; j < LATENTS; j++) {
        for (size_t i = 0; i < N; i++)
            put_unit(effects, &at, i, d[j][i]);
        effects->ptr[j + 1] = at;
        effects->fires[j] = j < 3;
    }
    double exact[LATENTS] = {0}, p[LATENTS];
    for (unsigned pattern = 0; pattern < 1u << N; pattern++) {
        double largest = 0, u[LATENTS], observed[LATENTS];
        for (size_t j = 0; j < LATENTS; j++) {
            double sum = 0, squares = 0;
            u[j] = 0;
            for (size_t i = 0; i < N; i++) {
                u[j] += pattern >> i & 1 ? d[j][i] : -d[j][i];
                sum += d[j][i];
                squares += d[j][i] * d[j][i];
            }
            double scale = squares > 0 ? sqrt(squares) : 1;
            observed[j] = fabs(sum) / scale;
            largest = fmax(largest, fabs(u[j]) / scale);
        }
        for (size_t j = 0; j < LATENTS; j++)
            exact[j] += (largest >= observed[j] * (1 - 1e-12)) / (double)(1u << N);
    }
    saei_resampling r = {.seed = 3, .draws = MANY};
    ck_assert_int_eq(saei_family_p(p, effects, &r, NULL), SAE_OK);
    for (size_t j = 0; j < LATENTS; j++)
        ck_assert_msg(fabs(p[j] - exact[j]) <= 6 * sqrt(exact[j] / MANY), "latent %zu: p %g, exact %g", j,
                      p[j], exact[j]);
    ck_assert(exact[0] < 0.05 && exact[3] == 1);
    saei_effects_free(effects);
    sae_context_free(context);
}
END_TEST

START_TEST(equal_differences_have_an_interval_without_width)
{
    sae_context *context = toy_context(1);
    saei_effects *effects;
    const size_t n[2] = {6, 6};
    ck_assert_int_eq(saei_effects_alloc(&effects, context, true, n, 3, 13, NULL), SAE_OK);
    uint64_t at = 0;
    for (size_t i = 0; i < 6; i++)
        put_unit(effects, &at, i, 0.1);
    effects->ptr[1] = at;
    put_unit(effects, &at, 2, 1);
    effects->ptr[2] = effects->ptr[3] = at;
    double low[3], high[3];
    saei_resampling r = {.seed = 3, .draws = 400};
    ck_assert_int_eq(saei_bootstrap_interval(low, high, effects, 0.95, &r, NULL), SAE_OK);
    ck_assert(fabs(low[0] - 0.1) <= 1e-12 && fabs(high[0] - 0.1) <= 1e-12);
    /* A third of the draws miss the only prompt with the second latent. */
    ck_assert(low[1] == -(double)INFINITY && high[1] == (double)INFINITY);
    ck_assert(low[2] == 0 && high[2] == 0);
    effects->n_y = effects->n_x = 1;
    effects->ptr[1] = effects->ptr[2] = effects->ptr[3] = 1;
    ck_assert_int_eq(saei_bootstrap_interval(low, high, effects, 0.95, &r, NULL), SAE_OK);
    ck_assert(isnan(low[0]) && isnan(high[0]));
    saei_effects_free(effects);
    sae_context_free(context);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    double p[3][16], low[3][16], high[3][16];
    saei_rank_interval ranks[3][TOP];
    const uint32_t candidates[TOP] = {0, 1, 2, 3, 8};
    for (unsigned threads = 1; threads <= 3; threads++) {
        comparison c;
        open_comparison(&c, names[_i], _i == 1, threads);
        size_t n = c.effects->n_latents, t = threads - 1;
        saei_rank_race race;
        ck_assert_int_eq(saei_family_p(p[t], c.effects, &c.resampling, NULL), SAE_OK);
        ck_assert_int_eq(
            saei_rank_race_alloc(&race, c.effects, candidates, TOP, SAE_FALLING, &c.resampling, NULL),
            SAE_OK);
        ck_assert_int_eq(saei_bootstrap_interval_and_race(low[t], high[t], &race, c.effects, confidence,
                                                          &c.resampling, NULL),
                         SAE_OK);
        saei_rank_race_finish(ranks[t], &race, confidence);
        saei_rank_race_release(&race);
        for (size_t j = 0; j < n; j++)
            ck_assert(p[t][j] == p[0][j] && low[t][j] == low[0][j] && high[t][j] == high[0][j]);
        for (size_t i = 0; i < TOP; i++)
            ck_assert(ranks[t][i].low == ranks[0][i].low && ranks[t][i].high == ranks[0][i].high);
        close_comparison(&c);
    }
}
END_TEST

/* The order in which a prompt file lists its prompts, or which others it holds beside, moves a prompt to the
 * other half only when it lies at the divide. */
START_TEST(a_prompt_keeps_its_half)
{
    enum { N = 101 };
    double id[N], reversed[N];
    bool second[2 * N], again[2 * N];
    sae_context *context = toy_context(1);
    for (size_t i = 0; i < N; i++) {
        id[i] = (double)i;
        reversed[N - 1 - i] = (double)i;
    }
    ck_assert_int_eq(saei_split_prompts(second, id, N, NULL, 0, 7, context, NULL), SAE_OK);
    ck_assert_int_eq(saei_split_prompts(again, id, N, reversed, N, 7, context, NULL), SAE_OK);
    size_t in_second = 0, moved = 0;
    for (size_t i = 0; i < N; i++) {
        in_second += second[i];
        ck_assert(again[i] == again[2 * N - 1 - i]);
        moved += again[i] != second[i];
    }
    ck_assert_uint_eq(in_second, N - N / 2);
    ck_assert_uint_eq(moved, 0);
    ck_assert_int_eq(saei_split_prompts(again, id, N, NULL, 0, 8, context, NULL), SAE_OK);
    for (size_t i = 0; i < N; i++)
        moved += again[i] != second[i];
    ck_assert_uint_gt(moved, N / 4);
    sae_context_free(context);
}
END_TEST

static int stop(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)stage;
    (void)done;
    (void)total;
    return *(int *)user;
}

START_TEST(progress_stops_the_family)
{
    int yes = 1;
    double p[16];
    comparison c;
    open_comparison(&c, "paired", true, 1);
    c.resampling.progress = stop;
    c.resampling.progress_user = &yes;
    ck_assert_int_eq(saei_family_p(p, c.effects, &c.resampling, NULL), SAE_STOPPED);
    ck_assert(isnan(p[0]));
    close_comparison(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uncertainty");
    TCase *tests = tcase_create("uncertainty");
    tcase_add_loop_test(tests, intervals_and_ranks_are_those_of_numpy, 0, 2);
    tcase_add_loop_test(tests, permutation_p_are_those_of_numpy, 0, 2);
    tcase_add_loop_test(tests, halves_are_those_of_numpy, 0, 2);
    tcase_add_test(tests, holm_is_that_of_statsmodels);
    tcase_add_test(tests, maximum_agrees_with_enumeration);
    tcase_add_test(tests, equal_differences_have_an_interval_without_width);
    tcase_add_loop_test(tests, threads_change_no_bit, 0, 2);
    tcase_add_test(tests, a_prompt_keeps_its_half);
    tcase_add_test(tests, progress_stops_the_family);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
