/* The parts of a rise against NumPy: decomposition, row weights, mean residuals, strata, the explained shift.
 */
#include "diff/decomposition.h"
#include "diff/residual_shift.h"
#include "diff/strata.h"
#include "base/rng.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

enum { D = 8, ROWS = 160 };

static sae_context *context;
static sae_model *model;

static void setup(void)
{
    context = toy_context(2);
    model = toy_identity(context, D, D);
}

static void teardown(void)
{
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static double *named(const char *side, const char *what, size_t *n)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", side, what);
    return fixture(FIXTURES, name, n);
}

static void compare(const double *got, const char *side, const char *what)
{
    size_t n;
    double *wanted = named(side, what, &n);
    for (size_t i = 0; i < n; i++)
        assert_close(got[i], wanted[i], 1e-9, what);
    free(wanted);
}

/* What one pass over a dump of the fixture gave. */
typedef struct condition {
    const char *name;
    float rows[ROWS * D];
    double *weight;
    sae_dump *dump;
    saei_groups *groups;
    saei_profile *plain, *weighted;
    saei_residual_mean *mean, *weighted_mean;
    saei_strata *strata;
} condition;

static void add_column(sae_dump *dump, const char *side, const char *what, const char *column)
{
    size_t n;
    double *values = named(side, what, &n);
    ck_assert_uint_eq(n, ROWS);
    ck_assert_int_eq(sae_dump_add_column(dump, column, values, NULL), SAE_OK);
    free(values);
}

static void open_condition(condition *c, const char *name)
{
    size_t n;
    memset(c, 0, sizeof *c);
    c->name = name;
    double *values = named(name, "rows", &n);
    for (size_t i = 0; i < n; i++)
        c->rows[i] = (float)values[i];
    free(values);
    c->weight = named(name, "weight", &n);
    c->dump = toy_dump(context, c->rows, ROWS, D, NULL);
    add_column(c->dump, name, "prompt", "prompt_id");
    add_column(c->dump, name, "position", "position");
    add_column(c->dump, name, "region", "is_continuation");
    add_column(c->dump, name, "domain", "domain");
    ck_assert_int_eq(saei_groups_read(&c->groups, context, c->dump, "prompt_id", NULL), SAE_OK);
}

static void pass_over(condition *c)
{
    const char *columns[1] = {"domain"};
    saei_profile_builder *plain, *weighted;
    ck_assert_int_eq(saei_profile_builder_new(&plain, context, c->groups, NULL, D, NULL), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_new(&weighted, context, c->groups, c->weight, D, NULL), SAE_OK);
    ck_assert_int_eq(saei_residual_mean_new(&c->mean, context, c->groups, NULL, D, SAE_NO_ROW_NORM, NULL),
                     SAE_OK);
    ck_assert_int_eq(
        saei_residual_mean_new(&c->weighted_mean, context, c->groups, c->weight, D, SAE_NO_ROW_NORM, NULL),
        SAE_OK);
    ck_assert_int_eq(saei_strata_new(&c->strata, context, c->dump, c->groups, columns, 1, D, NULL), SAE_OK);
    saei_observers observers = {5,
                                {{saei_profile_builder_observe, plain},
                                 {saei_profile_builder_observe, weighted},
                                 {saei_residual_mean_observe, c->mean},
                                 {saei_residual_mean_observe, c->weighted_mean},
                                 {saei_strata_observe, c->strata}}};
    saei_pass pass = {.model = model, .dump = c->dump, .consume = saei_observe, .consume_user = &observers};
    ck_assert_int_eq(saei_pass_run(&pass, NULL), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_finish(&c->plain, plain, NULL), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_finish(&c->weighted, weighted, NULL), SAE_OK);
    saei_profile_builder_free(plain);
    saei_profile_builder_free(weighted);
}

static void read_condition(condition *c, const char *name)
{
    open_condition(c, name);
    pass_over(c);
}

static void close_condition(condition *c)
{
    saei_strata_free(c->strata);
    saei_residual_mean_free(c->weighted_mean);
    saei_residual_mean_free(c->mean);
    saei_profile_free(c->weighted);
    saei_profile_free(c->plain);
    saei_groups_free(c->groups);
    sae_dump_free(c->dump);
    free(c->weight);
}

static condition before, after;

static void setup_conditions(void)
{
    setup();
    read_condition(&before, "before");
    read_condition(&after, "after");
}

static void teardown_conditions(void)
{
    close_condition(&after);
    close_condition(&before);
    teardown();
}

START_TEST(decomposition_is_that_of_numpy)
{
    for (int paired = 0; paired <= 1; paired++) {
        sae_decomposition parts[D];
        ck_assert_int_eq(saei_decompose(parts, before.plain, after.plain, paired, NULL), SAE_OK);
        size_t n;
        double *wanted = named("decomposition", paired ? "paired" : "unpaired", &n);
        ck_assert_uint_eq(n, 8 * D);
        for (size_t j = 0; j < D; j++) {
            const double *w = wanted + 8 * j;
            assert_close(parts[j].delta, w[0], 1e-9, "delta");
            assert_close(parts[j].frequency, w[1], 1e-9, "frequency");
            assert_close(parts[j].magnitude, w[2], 1e-9, "magnitude");
            assert_close(parts[j].freq_before, w[3], 1e-9, "freq before");
            assert_close(parts[j].freq_after, w[4], 1e-9, "freq after");
            ck_assert(w[5] < 0 ? isnan(parts[j].level_before) : true);
            ck_assert(w[6] < 0 ? isnan(parts[j].level_after) : true);
            if (w[5] >= 0)
                assert_close(parts[j].level_before, w[5], 1e-9, "level before");
            if (w[6] >= 0)
                assert_close(parts[j].level_after, w[6], 1e-9, "level after");
            ck_assert_int_eq((int)parts[j].change, (int)w[7]);
            assert_close(parts[j].frequency + parts[j].magnitude, parts[j].delta, 1e-12, "sum of the parts");
        }
        free(wanted);
    }
}
END_TEST

/* As planted; the kinds of rises and of falls mirror each other when the sides are exchanged. */
START_TEST(every_kind_of_change_has_its_name)
{
    static const char *const names[D] = {"amplified", "more often", "newly firing", "unchanged",
                                         "unchanged", "weakened",   "less often",   "fell silent"};
    sae_decomposition parts[D], mirrored[D];
    ck_assert_int_eq(saei_decompose(parts, before.plain, after.plain, true, NULL), SAE_OK);
    ck_assert_int_eq(saei_decompose(mirrored, after.plain, before.plain, true, NULL), SAE_OK);
    for (size_t j = 0; j < D; j++) {
        ck_assert_str_eq(sae_change_name(parts[j].change), names[j]);
        ck_assert_int_eq((int)mirrored[j].change, -(int)parts[j].change);
    }
    ck_assert_ptr_null(sae_change_name((sae_change)4));
    ck_assert_ptr_null(sae_change_name((sae_change)-4));
}
END_TEST

/* The kind of a latent that on two prompts has the given mean activations and firing fractions. */
static sae_change kind(const double mean_before[2], double freq_before, const double mean_after[2],
                       double freq_after)
{
    const double id[2] = {0, 1}, one[2] = {1, 1};
    saei_profile *side[2];
    for (int s = 0; s < 2; s++) {
        const double *mean = s == 0 ? mean_before : mean_after;
        double freq = s == 0 ? freq_before : freq_after;
        saei_firing firings[2] = {{0, 0, mean[0], freq}, {0, 1, mean[1], freq}};
        ck_assert_int_eq(saei_profile_new(&side[s], context, firings, 2, id, one, 2, 1, NULL), SAE_OK);
    }
    sae_decomposition part;
    ck_assert_int_eq(saei_decompose(&part, side[0], side[1], true, NULL), SAE_OK);
    saei_profile_free(side[1]);
    saei_profile_free(side[0]);
    return part.change;
}

/* Differences 1 and x have mean (1 + x)/2 and se (1 - x)/2: 1.9 se for x = 0.9/2.9, 2.1 se for 1.1/3.1. */
START_TEST(kinds_begin_where_they_are_said_to)
{
    const double low[2] = {1, 1}, nearly[2] = {2, 1 + 0.9 / 2.9}, enough[2] = {2, 1 + 1.1 / 3.1};
    ck_assert_int_eq((int)kind(low, 0.5, nearly, 0.5), SAE_UNCHANGED);
    ck_assert_int_eq((int)kind(low, 0.5, enough, 0.5), SAE_AMPLIFIED);
    ck_assert_int_eq((int)kind(low, 0.0009, enough, 0.0089), SAE_MORE_OFTEN);
    ck_assert_int_eq((int)kind(low, 0.0009, enough, 0.0091), SAE_NEWLY_FIRING);
    ck_assert_int_eq((int)kind(low, 0.0011, enough, 0.5), SAE_MORE_OFTEN);
    /* Hardly fires any more, and yet its mean rises. */
    ck_assert_int_eq((int)kind(low, 0.5, enough, 0.0005), SAE_AMPLIFIED);
    ck_assert_int_eq((int)kind(enough, 0.0091, low, 0.0009), SAE_FELL_SILENT);
}
END_TEST

static void check_weighted(const condition *c)
{
    for (size_t j = 0; j < D; j++) {
        const saei_profile *p = c->weighted;
        double mean = 0, freq = 0;
        for (uint64_t i = p->ptr[j]; i < p->ptr[j + 1]; i++) {
            ck_assert(p->activation[i] > 0 && p->frequency[i] > 0 && p->frequency[i] <= 1);
            mean += p->activation[i] / (double)p->n_prompts;
            freq += p->frequency[i] / (double)p->n_prompts;
        }
        size_t n;
        double *wanted_mean = named(c->name, "weighted_mean", &n),
               *wanted_freq = named(c->name, "weighted_freq", &n);
        assert_close(mean, wanted_mean[j], 1e-9, "weighted mean");
        assert_close(freq, wanted_freq[j], 1e-9, "weighted frequency");
        free(wanted_mean);
        free(wanted_freq);
    }
}

START_TEST(row_weights_enter_the_profile)
{
    check_weighted(&before);
    check_weighted(&after);
}
END_TEST

START_TEST(mean_residual_weighs_prompts_alike)
{
    compare(saei_residual_mean_get(before.mean), "before", "residual");
    compare(saei_residual_mean_get(after.mean), "after", "residual");
    compare(saei_residual_mean_get(before.weighted_mean), "before", "weighted_residual");
    compare(saei_residual_mean_get(after.weighted_mean), "after", "weighted_residual");
}
END_TEST

static void check_strata(const condition *c)
{
    size_t n, n_mean, n_freq, count = saei_strata_count(c->strata);
    double *table = named(c->name, "strata", &n), *mean = named(c->name, "strata_mean", &n_mean),
           *freq = named(c->name, "strata_freq", &n_freq);
    ck_assert_uint_eq(n, 4 * count);
    ck_assert_uint_eq(n_mean, D * count);
    for (size_t k = 0; k < count; k++) {
        sae_stratum s = saei_strata_at(c->strata, k);
        ck_assert_double_eq(s.low, table[4 * k]);
        ck_assert_double_eq(s.high, table[4 * k + 1]);
        ck_assert_double_eq((double)s.rows, table[4 * k + 2]);
        ck_assert_double_eq((double)s.prompts, table[4 * k + 3]);
    }
    for (uint32_t j = 0; j < D; j++) {
        double got_mean[SAEI_STRATA_MAX], got_freq[SAEI_STRATA_MAX];
        saei_strata_latent(got_mean, got_freq, c->strata, j);
        for (size_t k = 0; k < count; k++) {
            assert_close(got_mean[k], mean[k * D + j], 1e-9, "mean of a stratum");
            assert_close(got_freq[k], freq[k * D + j], 1e-9, "frequency of a stratum");
        }
    }
    free(table);
    free(mean);
    free(freq);
}

START_TEST(strata_are_those_of_numpy)
{
    check_strata(&before);
    check_strata(&after);
    ck_assert_str_eq(saei_strata_at(before.strata, 0).column, "is_continuation");
    ck_assert_str_eq(saei_strata_at(before.strata, 2).column, "position");
    ck_assert_str_eq(saei_strata_at(before.strata, saei_strata_count(before.strata) - 1).column, "domain");
}
END_TEST

/* Positions from 32 on exist after the fine-tuning alone. */
START_TEST(strata_of_two_sides_meet)
{
    size_t n = saei_strata_union(before.strata, after.strata), missing = 0;
    ck_assert_uint_eq(n, saei_strata_count(after.strata));
    ck_assert_uint_eq(n, saei_strata_count(before.strata) + 1);
    ck_assert_uint_eq(saei_strata_union(after.strata, before.strata), n);
    sae_stratum_change *changes = calloc(n, sizeof *changes), *back = calloc(n, sizeof *back);
    double mean[SAEI_STRATA_MAX], freq[SAEI_STRATA_MAX];
    saei_strata_compare(changes, before.strata, after.strata, 1);
    saei_strata_compare(back, after.strata, before.strata, 1);
    saei_strata_latent(mean, freq, after.strata, 1);
    for (size_t k = 0; k < n; k++) {
        ck_assert_double_eq(changes[k].mean_after, mean[k]);
        ck_assert_double_eq(changes[k].freq_after, freq[k]);
        ck_assert_str_eq(changes[k].before.column, changes[k].after.column);
        ck_assert_double_eq(changes[k].before.low, changes[k].after.low);
        bool there = changes[k].before.rows > 0;
        ck_assert_int_eq(isnan(changes[k].mean_before), !there);
        ck_assert_int_eq(isnan(changes[k].freq_before), !there);
        missing += !there;
    }
    ck_assert_uint_eq(missing, 1);
    ck_assert(back[n - 1].after.rows == 0 && back[n - 1].before.low == 32 && isnan(back[n - 1].mean_after));
    free(back);
    free(changes);
}
END_TEST

/* The rows backwards and four times as long: every sum has another order, every activation is 4 f. */
START_TEST(order_and_scale_of_rows_do_not_matter)
{
    static float rows[ROWS * D];
    static const char *const columns[4] = {"prompt_id", "position", "is_continuation", "domain"};
    double values[ROWS], backwards[ROWS];
    for (size_t i = 0; i < ROWS * D; i++)
        rows[i] = 4 * after.rows[(ROWS - 1 - i / D) * D + i % D];
    condition turned = {.name = "after"};
    turned.dump = toy_dump(context, rows, ROWS, D, NULL);
    for (size_t c = 0; c < 4; c++) {
        ck_assert_int_eq(sae_dump_read_column(values, after.dump, columns[c], NULL), SAE_OK);
        for (size_t i = 0; i < ROWS; i++)
            backwards[i] = values[ROWS - 1 - i];
        ck_assert_int_eq(sae_dump_add_column(turned.dump, columns[c], backwards, NULL), SAE_OK);
    }
    turned.weight = calloc(ROWS, sizeof *turned.weight);
    for (size_t i = 0; i < ROWS; i++)
        turned.weight[i] = 7 * after.weight[ROWS - 1 - i];
    ck_assert_int_eq(saei_groups_read(&turned.groups, context, turned.dump, "prompt_id", NULL), SAE_OK);
    pass_over(&turned);
    double mean[SAEI_STRATA_MAX], freq[SAEI_STRATA_MAX], mean4[SAEI_STRATA_MAX], freq4[SAEI_STRATA_MAX];
    for (uint32_t j = 0; j < D; j++) {
        saei_strata_latent(mean, freq, after.strata, j);
        saei_strata_latent(mean4, freq4, turned.strata, j);
        for (size_t k = 0; k < saei_strata_count(after.strata); k++) {
            assert_close(mean4[k], 4 * mean[k], 1e-12, "mean of a stratum");
            assert_close(freq4[k], freq[k], 1e-12, "frequency of a stratum");
        }
        assert_close(saei_residual_mean_get(turned.weighted_mean)[j],
                     4 * saei_residual_mean_get(after.weighted_mean)[j], 1e-12, "mean residual");
    }
    sae_decomposition parts[D];
    ck_assert_int_eq(saei_decompose(parts, after.weighted, turned.weighted, true, NULL), SAE_OK);
    for (size_t j = 0; j < D; j++) {
        assert_close(parts[j].frequency, 0, 1e-12, "frequency");
        if (parts[j].freq_before > 0)
            assert_close(parts[j].level_after, 4 * parts[j].level_before, 1e-12, "level");
    }
    close_condition(&turned);
}
END_TEST

START_TEST(strata_refuse_what_they_cannot_hold)
{
    const char *missing[1] = {"nowhere"}, *many[1] = {"many"}, *broken[1] = {"broken"};
    double values[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        values[i] = (double)(i % 65);
    ck_assert_int_eq(sae_dump_add_column(before.dump, "many", values, NULL), SAE_OK);
    values[3] = (double)NAN;
    ck_assert_int_eq(sae_dump_add_column(before.dump, "broken", values, NULL), SAE_OK);
    saei_strata *strata;
    sae_error err;
    const struct {
        const char *const *columns;
        sae_status status;
        const char *text;
    } cases[3] = {{missing, SAE_E_NOT_FOUND, "nowhere"},
                  {many, SAE_E_UNSUPPORTED, "many"},
                  {broken, SAE_E_NONFINITE, "broken is NaN at row 3"}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            saei_strata_new(&strata, context, before.dump, before.groups, cases[i].columns, 1, D, &err),
            cases[i].status);
        ck_assert_ptr_null(strata);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
    }
}
END_TEST

/* With W_dec = 1 and all of x positive, the model sees the whole shift, and each latent its own number. */
START_TEST(a_model_that_loses_nothing_explains_everything)
{
    double low[D], high[D], delta[D];
    uint32_t order[D];
    for (uint32_t j = 0; j < D; j++) {
        low[j] = 1;
        delta[j] = j == 5 ? 2 : 0.25;
        high[j] = low[j] + delta[j];
        order[j] = (j + 5) % D;
    }
    sae_shift_summary summary;
    sae_latent_shift latents[D];
    sae_shift_top top[D];
    saei_residual_shift shift = {model, low, high, delta};
    ck_assert_int_eq(saei_residual_shift_explain(&summary, latents, top, &shift, order, D, NULL), SAE_OK);
    double norm2 = 4 + 7 * 0.0625;
    assert_close(summary.norm, sqrt(norm2), 1e-12, "norm");
    assert_close(summary.all.share, 1, 1e-12, "share");
    assert_close(summary.all.explained, 1, 1e-12, "explained");
    assert_close(latents[5].share, 4 / norm2, 1e-12, "share of the large one");
    assert_close(latents[5].cosine, 2 / sqrt(norm2), 1e-12, "cosine of the large one");
    assert_close(top[0].explained, 4 / norm2, 1e-12, "explained by the large one");
    assert_close(top[D - 1].explained, 1, 1e-12, "explained by all");
    for (uint32_t j = 0; j < D; j++)
        high[j] = low[j];
    ck_assert_int_eq(saei_residual_shift_explain(&summary, latents, NULL, &shift, NULL, 0, NULL), SAE_OK);
    ck_assert_double_eq(summary.norm, 0);
    ck_assert_double_eq(summary.all.share, 0);
    ck_assert_double_eq(latents[5].share, 0);
    ck_assert(isnan(latents[5].cosine));
}
END_TEST

static sae_model *fixture_model(sae_context *owner)
{
    size_t n;
    double *values = named("shift", "decoder", &n);
    float *decoder = calloc(n, sizeof *decoder), *zero = calloc(n, sizeof *zero);
    for (size_t i = 0; i < n; i++)
        decoder[i] = (float)values[i];
    sae_params params = {.d = 6,
                         .n_latents = n / 6,
                         .activation = SAE_RELU,
                         .W_enc = zero,
                         .b_enc = zero,
                         .W_dec = decoder,
                         .b_dec = zero};
    sae_model *made;
    ck_assert_int_eq(sae_model_new(&made, owner, &params, NULL), SAE_OK);
    free(decoder);
    free(zero);
    free(values);
    return made;
}

START_TEST(shares_of_the_shift_are_those_of_numpy)
{
    sae_model *decoder = fixture_model(context);
    size_t n, d;
    double *low = named("shift", "before", &d), *high = named("shift", "after", &d),
           *delta = named("shift", "delta", &n), *wanted = named("shift", "order", &n);
    double *share = named("shift", "share", &n), *cosine = named("shift", "cosine", &n);
    uint32_t order[11];
    for (size_t j = 0; j < n; j++)
        order[j] = (uint32_t)wanted[j];
    free(wanted);
    sae_shift_summary s;
    sae_latent_shift latents[11];
    sae_shift_top top[11];
    saei_residual_shift shift = {decoder, low, high, delta};
    ck_assert_int_eq(saei_residual_shift_explain(&s, latents, top, &shift, order, 11, NULL), SAE_OK);
    double summary[5] = {s.norm, s.relative_norm, s.all.share, s.all.explained, s.effective_latents};
    compare(summary, "shift", "summary");
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        assert_close(latents[j].share, share[j], 1e-9, "share");
        if (cosine[j] < -1)
            ck_assert(isnan(latents[j].cosine));
        else
            assert_close(latents[j].cosine, cosine[j], 1e-9, "cosine");
        sum += latents[j].share;
    }
    assert_close(sum, s.all.share, 1e-12, "sum of the shares");
    compare(&top[0].share, "shift", "top");
    free(cosine);
    free(share);
    free(delta);
    free(high);
    free(low);
    sae_model_free(decoder);
}
END_TEST

/* More latents and columns than a task holds. */
START_TEST(threads_change_no_bit_of_the_shift)
{
    enum { WIDTH = 70, LATENTS = 1300 };
    float *weights = calloc(WIDTH * LATENTS, sizeof *weights), *zero = calloc(LATENTS, sizeof *zero);
    double low[WIDTH], high[WIDTH], *delta = calloc(LATENTS, sizeof *delta);
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < WIDTH * LATENTS; i++)
        weights[i] = (float)saei_rng_normal(&rng);
    for (size_t i = 0; i < WIDTH; i++) {
        low[i] = saei_rng_normal(&rng);
        high[i] = saei_rng_normal(&rng);
    }
    for (size_t j = 0; j < LATENTS; j++)
        delta[j] = saei_rng_normal(&rng);
    sae_shift_summary first = {0}, now;
    sae_latent_shift *latents = calloc(2 * LATENTS, sizeof *latents);
    for (unsigned threads = 1; threads <= 3; threads++) {
        sae_context *other = toy_context(threads);
        sae_params params = {.d = WIDTH,
                             .n_latents = LATENTS,
                             .activation = SAE_RELU,
                             .W_enc = weights,
                             .b_enc = zero,
                             .W_dec = weights,
                             .b_dec = zero};
        sae_model *wide;
        ck_assert_int_eq(sae_model_new(&wide, other, &params, NULL), SAE_OK);
        saei_residual_shift shift = {wide, low, high, delta};
        sae_latent_shift *to = threads == 1 ? latents : latents + LATENTS;
        ck_assert_int_eq(saei_residual_shift_explain(&now, to, NULL, &shift, NULL, 0, NULL), SAE_OK);
        if (threads == 1)
            first = now;
        else
            ck_assert_mem_eq(latents, to, LATENTS * sizeof *latents);
        ck_assert_mem_eq(&first, &now, sizeof now);
        sae_model_free(wide);
        sae_context_free(other);
    }
    free(latents);
    free(delta);
    free(zero);
    free(weights);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *sides = tcase_create("of two conditions"), *shifts = tcase_create("of a shift");
    tcase_add_checked_fixture(sides, setup_conditions, teardown_conditions);
    tcase_add_test(sides, decomposition_is_that_of_numpy);
    tcase_add_test(sides, every_kind_of_change_has_its_name);
    tcase_add_test(sides, kinds_begin_where_they_are_said_to);
    tcase_add_test(sides, row_weights_enter_the_profile);
    tcase_add_test(sides, mean_residual_weighs_prompts_alike);
    tcase_add_test(sides, strata_are_those_of_numpy);
    tcase_add_test(sides, strata_of_two_sides_meet);
    tcase_add_test(sides, order_and_scale_of_rows_do_not_matter);
    tcase_add_test(sides, strata_refuse_what_they_cannot_hold);
    suite_add_tcase(suite, sides);
    tcase_add_checked_fixture(shifts, setup, teardown);
    tcase_add_test(shifts, a_model_that_loses_nothing_explains_everything);
    tcase_add_test(shifts, shares_of_the_shift_are_those_of_numpy);
    tcase_add_test(shifts, threads_change_no_bit_of_the_shift);
    suite_add_tcase(suite, shifts);
    return run_suite(suite);
}
