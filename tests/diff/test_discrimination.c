#include "apply/auroc.h"
#include "diff/discrimination.h"
#include "diff/rank_sum.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { MODELS = 9, LATENTS = 5 };

typedef struct plan {
    sae_context *context;
    saei_profile *profiles[MODELS];
    bool bad[MODELS];
    double *domain, *prompt_id, *prompt_domain;
    saei_models models;
} plan;

static void open_plan(plan *p, unsigned threads)
{
    size_t n;
    *p = (plan){.context = toy_context(threads)};
    double *bad = fixture(DISCRIMINATION_FIXTURES, "models_bad", &n);
    p->domain = fixture(DISCRIMINATION_FIXTURES, "models_domain", &n);
    for (size_t c = 0; c < MODELS; c++) {
        char name[32];
        size_t n_values;
        snprintf(name, sizeof name, "model_%zu_id", c);
        double *id = fixture(DISCRIMINATION_FIXTURES, name, &n);
        snprintf(name, sizeof name, "model_%zu", c);
        double *values = fixture(DISCRIMINATION_FIXTURES, name, &n_values);
        p->profiles[c] = dense_profile(p->context, values, id, n, LATENTS);
        p->bad[c] = bad[c] != 0;
        if (p->domain[c] < 0)
            p->domain[c] = (double)NAN;
        free(values);
        free(id);
    }
    free(bad);
    p->prompt_id = fixture(DISCRIMINATION_FIXTURES, "prompt_id", &n);
    p->prompt_domain = fixture(DISCRIMINATION_FIXTURES, "prompt_domain", &n);
    p->models = (saei_models){.profiles = (const saei_profile *const *)p->profiles,
                              .bad = p->bad,
                              .domain = p->domain,
                              .n = MODELS,
                              .prompt_id = p->prompt_id,
                              .prompt_domain = p->prompt_domain,
                              .n_prompts = n};
}

static void close_plan(plan *p)
{
    for (size_t c = 0; c < MODELS; c++)
        saei_profile_free(p->profiles[c]);
    free(p->prompt_domain);
    free(p->prompt_id);
    free(p->domain);
    ck_assert_uint_eq(sae_context_memory_used(p->context), 0);
    sae_context_free(p->context);
}

static void check(const sae_discrimination *d, const char *name)
{
    size_t n;
    double *expected = fixture(DISCRIMINATION_FIXTURES, name, &n);
    const double got[10] = {d->auroc,      d->average_precision, d->p,         d->prompt_auroc,
                            d->prompt_se,  d->model_se,          d->threshold, d->model_out,
                            d->domain_out, d->prompt_domain_out};
    const char *figure[10] = {"auroc",      "average precision", "p",         "prompt auroc",
                              "prompt se",  "model se",          "threshold", "model out",
                              "domain out", "prompt domain out"};
    ck_assert_uint_eq(n, 10);
    for (size_t i = 0; i < n; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s: %s", name, figure[i]);
        assert_close(got[i], expected[i], 1e-9, what);
    }
    free(expected);
}

START_TEST(single_latents_are_those_of_scikit_learn)
{
    plan p;
    open_plan(&p, 2);
    sae_discrimination found[LATENTS], listed[2];
    ck_assert_int_eq(saei_discriminate(found, NULL, 0, &p.models, NULL), SAE_OK);
    for (uint32_t j = 0; j < LATENTS; j++) {
        char name[16];
        snprintf(name, sizeof name, "latent_%u", j);
        ck_assert(found[j].n_latents == 1 && found[j].latents[0] == j);
        check(&found[j], name);
        double exact[LATENTS] = {found[0].p * 5 / 3, found[0].p * 5 / 3, found[0].p * 5 / 3, found[3].p,
                                 found[4].p * 5 / 4};
        assert_close(found[j].q, exact[j], 1e-12, "q");
    }
    const uint32_t latents[2] = {3, 1};
    ck_assert_int_eq(saei_discriminate(listed, latents, 2, &p.models, NULL), SAE_OK);
    check(&listed[0], "latent_3");
    check(&listed[1], "latent_1");
    close_plan(&p);
}
END_TEST

START_TEST(sets_are_those_of_scikit_learn)
{
    plan p;
    open_plan(&p, 2);
    sae_discrimination found;
    const uint32_t set[3] = {0, 3, 1}, candidates[LATENTS] = {0, 1, 2, 3, 4};
    ck_assert_int_eq(saei_discriminate_set(&found, set, 3, &p.models, NULL), SAE_OK);
    ck_assert_uint_eq(found.n_latents, 3);
    ck_assert_mem_eq(found.latents, set, sizeof set);
    check(&found, "set");
    ck_assert(isnan(found.q));
    ck_assert_int_eq(saei_discriminate_greedy(&found, candidates, LATENTS, 3, &p.models, NULL), SAE_OK);
    check(&found, "greedy");
    size_t n;
    double *chosen = fixture(DISCRIMINATION_FIXTURES, "greedy_set", &n);
    ck_assert_uint_eq(found.n_latents, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(found.latents[i], (uint32_t)chosen[i]);
    free(chosen);
    close_plan(&p);
}
END_TEST

START_TEST(domains_that_are_not_known_are_no_number)
{
    plan p;
    open_plan(&p, 1);
    p.models.domain = p.models.prompt_domain = NULL;
    sae_discrimination found;
    const uint32_t latent = 0;
    ck_assert_int_eq(saei_discriminate(&found, &latent, 1, &p.models, NULL), SAE_OK);
    ck_assert(isnan(found.domain_out) && isnan(found.prompt_domain_out) && found.model_out > 0);
    close_plan(&p);
}
END_TEST

static void sorted_scores(saei_scored *out, const double *score, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (saei_scored){score[i], (uint32_t)i};
    saei_sort_scored(out, n);
}

/* With every unit a cluster of its own the standard error is that of DeLong. */
START_TEST(clusters_of_one_give_delong)
{
    enum { N = 30 };
    double score[N], positives[N], negatives[N], placement[N], scratch[4 * N];
    bool positive[N];
    uint32_t cluster[N];
    saei_scored sorted[N];
    size_t m = 0, n = 0;
    for (uint32_t i = 0; i < N; i++) {
        positive[i] = i % 3 != 0;
        score[i] = round(4 * sin(i * 1.7)) / 4 + (positive[i] ? 0.5 : 0);
        cluster[i] = N - 1 - i;
        *(positive[i] ? &positives[m++] : &negatives[n++]) = score[i];
    }
    sorted_scores(sorted, score, N);
    sae_auroc_result expected = saei_auroc(positives, m, negatives, n);
    assert_close(saei_placements(placement, sorted, N, positive), expected.auroc, 1e-12, "auroc");
    assert_close(saei_clustered_se(placement, sorted, N, positive, cluster, N, scratch), expected.se, 1e-12,
                 "se");
}
END_TEST

/* Separated without an overlap: 1 of the C(12, 5) = 792 assignments; all equal: every one of them. */
START_TEST(exact_p_of_extremes)
{
    double score[12], *scratch = malloc(saei_rank_sum_scratch(12) * sizeof *scratch);
    bool positive[12];
    saei_scored sorted[12];
    for (int i = 0; i < 12; i++) {
        positive[i] = i >= 7;
        score[i] = i;
    }
    sorted_scores(sorted, score, 12);
    assert_close(saei_rank_sum_p(sorted, 12, positive, scratch), 1.0 / 792, 1e-12, "separated");
    assert_close(saei_average_precision(sorted, 12, positive), 1, 1e-15, "average precision");
    assert_close(saei_best_cut(sorted, 12, positive), 6.5, 1e-15, "cut");
    for (int i = 0; i < 12; i++)
        score[i] = 2;
    sorted_scores(sorted, score, 12);
    ck_assert_double_eq(saei_rank_sum_p(sorted, 12, positive, scratch), 1);
    ck_assert_double_eq(saei_best_cut(sorted, 12, positive), 2);
    assert_close(saei_average_precision(sorted, 12, positive), 5.0 / 12, 1e-15,
                 "average precision of chance");
    free(scratch);
}
END_TEST

START_TEST(threads_change_no_bit)
{
    sae_discrimination first[LATENTS + 1], now[LATENTS + 1];
    const uint32_t candidates[LATENTS] = {0, 1, 2, 3, 4};
    memset(first, 0, sizeof first);
    for (unsigned threads = 1; threads <= 3; threads++) {
        plan p;
        open_plan(&p, threads);
        ck_assert_int_eq(saei_discriminate(now, NULL, 0, &p.models, NULL), SAE_OK);
        ck_assert_int_eq(saei_discriminate_greedy(&now[LATENTS], candidates, LATENTS, 3, &p.models, NULL),
                         SAE_OK);
        if (threads == 1)
            memcpy(first, now, sizeof now);
        ck_assert_mem_eq(now, first, sizeof now);
        close_plan(&p);
    }
}
END_TEST

START_TEST(what_is_refused)
{
    plan p;
    open_plan(&p, 1);
    sae_discrimination found;
    const uint32_t latents[SAE_SET_MOST + 1] = {0}, missing = LATENTS;
    ck_assert_int_eq(saei_discriminate(&found, &missing, 1, &p.models, NULL), SAE_E_NOT_FOUND);
    ck_assert_int_eq(saei_discriminate_set(&found, latents, 0, &p.models, NULL), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_discriminate_set(&found, latents, SAE_SET_MOST + 1, &p.models, NULL),
                     SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_discriminate_greedy(&found, latents, 0, 3, &p.models, NULL), SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_discriminate_greedy(&found, latents, 1, 0, &p.models, NULL), SAE_E_ARGUMENT);
    p.models.n = 1;
    ck_assert_int_eq(saei_discriminate(&found, latents, 1, &p.models, NULL), SAE_E_ARGUMENT);
    p.models.n = SAEI_MOST_MODELS + 1;
    ck_assert_int_eq(saei_discriminate(&found, latents, 1, &p.models, NULL), SAE_E_UNSUPPORTED);
    p.models.n = MODELS;
    close_plan(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("discrimination");
    TCase *tests = tcase_create("discrimination");
    tcase_add_test(tests, single_latents_are_those_of_scikit_learn);
    tcase_add_test(tests, sets_are_those_of_scikit_learn);
    tcase_add_test(tests, domains_that_are_not_known_are_no_number);
    tcase_add_test(tests, clusters_of_one_give_delong);
    tcase_add_test(tests, exact_p_of_extremes);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_test(tests, what_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
