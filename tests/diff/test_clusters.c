#include "diff/clusters.h"
#include "diff/linkage.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>

enum { LATENTS = 14, D = 24, PROFILES = 2 };

static sae_model *model;
static saei_profile *profiles[PROFILES];
static uint32_t candidates[LATENTS];
static double threshold;

static void check(sae_status status)
{
    ck_assert_msg(status == SAE_OK, "%s", err.text);
}

static sae_model *model_of(const float *decoder, size_t d)
{
    float zero[LATENTS * D] = {0};
    sae_params params = {.d = d,
                         .n_latents = LATENTS,
                         .activation = SAE_RELU,
                         .W_enc = zero,
                         .b_enc = zero,
                         .W_dec = decoder,
                         .b_dec = zero};
    sae_model *made;
    check(sae_model_new(&made, context, &params, &err));
    return made;
}

static void read_model(void)
{
    size_t n;
    double *values = fixture(CLUSTER_FIXTURES, "decoder", &n);
    ck_assert_uint_eq(n, LATENTS * D);
    float decoder[LATENTS * D];
    for (size_t i = 0; i < n; i++)
        decoder[i] = (float)values[i];
    model = model_of(decoder, D);
    free(values);
}

/* activation [prompts, LATENTS]; latents fire on half of the rows. */
static saei_profile *profile_of(const double *activation, size_t prompts)
{
    static saei_firing firings[64 * LATENTS];
    static double id[64], weight[64];
    size_t n = 0;
    ck_assert_uint_le(prompts, 64);
    for (size_t p = 0; p < prompts; p++) {
        id[p] = (double)p;
        weight[p] = 1;
        for (size_t j = 0; j < LATENTS; j++)
            if (activation[p * LATENTS + j] > 0)
                firings[n++] = (saei_firing){(uint32_t)j, (uint32_t)p, activation[p * LATENTS + j], 0.5};
    }
    saei_profile *profile;
    check(saei_profile_new(&profile, context, firings, n, id, weight, prompts, LATENTS, &err));
    return profile;
}

static void set_up(void)
{
    context_make();
    read_model();
    size_t n;
    for (size_t c = 0; c < PROFILES; c++) {
        char name[32];
        snprintf(name, sizeof name, "activation_%zu", c);
        double *activation = fixture(CLUSTER_FIXTURES, name, &n);
        profiles[c] = profile_of(activation, n / LATENTS);
        free(activation);
    }
    double *order = fixture(CLUSTER_FIXTURES, "candidates", &n);
    for (size_t i = 0; i < LATENTS; i++)
        candidates[i] = (uint32_t)order[i];
    free(order);
    double *limit = fixture(CLUSTER_FIXTURES, "threshold", &n);
    threshold = limit[0];
    free(limit);
}

static void tear_down(void)
{
    for (size_t c = 0; c < PROFILES; c++)
        saei_profile_free(profiles[c]);
    sae_model_free(model);
    context_end();
}

static sae_clusters *clusters_of_fixture(void)
{
    sae_clusters *clusters;
    check(saei_clusters_new(&clusters, model, (const saei_profile *const *)profiles, PROFILES, candidates,
                            LATENTS, threshold, &err));
    return clusters;
}

START_TEST(pairs_are_those_of_numpy)
{
    double cosine[LATENTS * LATENTS], correlation[LATENTS * LATENTS];
    saei_alikeness alike = {cosine, correlation};
    check(saei_alikeness_fill(&alike, model, (const saei_profile *const *)profiles, PROFILES, candidates,
                              LATENTS, &err));
    size_t n;
    double *expected_cosine = fixture(CLUSTER_FIXTURES, "cosine", &n),
           *expected_correlation = fixture(CLUSTER_FIXTURES, "correlation", &n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(fabs(cosine[i] - expected_cosine[i]) <= 5e-7, "cosine %zu: %.9g, wanted %.9g", i,
                      cosine[i], expected_cosine[i]);
        ck_assert_msg(fabs(correlation[i] - expected_correlation[i]) <= 1e-12,
                      "correlation %zu: %.17g, wanted %.17g", i, correlation[i], expected_correlation[i]);
    }
    free(expected_correlation);
    free(expected_cosine);
}
END_TEST

START_TEST(groups_are_those_of_scipy)
{
    size_t n, seen = 0;
    double *first = fixture(CLUSTER_FIXTURES, "first", &n);
    sae_clusters *clusters = clusters_of_fixture();
    for (size_t c = 0; c < sae_clusters_count(clusters); c++) {
        sae_cluster cluster = sae_clusters_at(clusters, c);
        size_t head = 0;
        while (candidates[head] != cluster.latents[0])
            head++;
        size_t member = 0;
        for (size_t i = 0; i < LATENTS; i++)
            if ((size_t)first[i] == head) {
                ck_assert_uint_lt(member, cluster.n);
                ck_assert_uint_eq(cluster.latents[member++], candidates[i]);
            }
        ck_assert_uint_eq(member, cluster.n);
        seen += cluster.n;
    }
    ck_assert_uint_eq(seen, LATENTS);
    ck_assert_uint_lt(sae_clusters_count(clusters), LATENTS);
    sae_clusters_free(clusters);
    free(first);
}
END_TEST

/* The cluster that holds the latent. */
static sae_cluster cluster_of(const sae_clusters *clusters, uint32_t latent, size_t *index)
{
    for (*index = 0; *index < sae_clusters_count(clusters); ++*index) {
        sae_cluster cluster = sae_clusters_at(clusters, *index);
        for (size_t m = 0; m < cluster.n; m++)
            if (cluster.latents[m] == latent)
                return cluster;
    }
    ck_abort_msg("no cluster with latent %u", latent);
}

static void compare(const double *got, const char *name, double tolerance)
{
    size_t n;
    double *expected = fixture(CLUSTER_FIXTURES, name, &n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - expected[i]) <= tolerance, "%s[%zu]: %.9g, wanted %.9g", name, i, got[i],
                      expected[i]);
    free(expected);
}

START_TEST(a_cluster_has_a_direction_and_weights)
{
    size_t index, n;
    sae_clusters *clusters = clusters_of_fixture();
    sae_cluster cluster = cluster_of(clusters, 0, &index);
    double *members = fixture(CLUSTER_FIXTURES, "members", &n), direction[D];
    ck_assert_uint_eq(cluster.n, n);
    for (size_t m = 0; m < n; m++)
        ck_assert_uint_eq(cluster.latents[m], (uint32_t)members[m]);
    for (size_t i = 0; i < D; i++)
        direction[i] = (double)cluster.direction[i];
    compare(direction, "direction", 1e-6);
    compare(cluster.weights, "weights", 5e-6);
    compare((double[]){cluster.cosine, cluster.correlation}, "means_of_pairs", 1e-6);
    ck_assert_uint_eq(sae_clusters_at(clusters, 1000).n, 0);
    free(members);
    sae_clusters_free(clusters);
}
END_TEST

START_TEST(a_cluster_is_a_latent_of_a_profile)
{
    size_t index;
    sae_clusters *clusters = clusters_of_fixture();
    sae_cluster cluster = cluster_of(clusters, 0, &index);
    saei_profile *merged;
    check(saei_profile_of_clusters(&merged, profiles[1], clusters, &err));
    ck_assert_uint_eq(merged->n_latents, sae_clusters_count(clusters));
    ck_assert_uint_eq(merged->n_prompts, profiles[1]->n_prompts);
    double activation[64] = {0};
    for (uint64_t i = merged->ptr[index]; i < merged->ptr[index + 1]; i++) {
        activation[merged->prompt[i]] = merged->activation[i];
        double firing = 0;
        for (size_t m = 0; m < cluster.n; m++)
            for (uint64_t e = profiles[1]->ptr[cluster.latents[m]];
                 e < profiles[1]->ptr[cluster.latents[m] + 1]; e++)
                firing += profiles[1]->prompt[e] == merged->prompt[i] ? profiles[1]->frequency[e] : 0;
        ck_assert_double_eq(merged->frequency[i], fmin(firing, 1));
    }
    compare(activation, "cluster_activation", 1e-5);
    saei_profile_free(merged);
    sae_clusters_free(clusters);
}
END_TEST

START_TEST(a_latent_without_a_partner_stays_itself)
{
    size_t index;
    sae_clusters *clusters = clusters_of_fixture();
    sae_cluster like_in_direction = cluster_of(clusters, 7, &index),
                silent = cluster_of(clusters, 12, &index),
                without_direction = cluster_of(clusters, 13, &index);
    ck_assert_uint_eq(like_in_direction.n, 1);
    ck_assert_uint_eq(silent.n, 1);
    ck_assert_uint_eq(without_direction.n, 1);
    ck_assert(isnan(like_in_direction.cosine) && isnan(like_in_direction.correlation));
    /* Its own activation, in units of its contribution. */
    sae_params params = sae_model_params(model);
    double norm2 = 0;
    for (size_t i = 0; i < D; i++)
        norm2 += (double)params.W_dec[7 * D + i] * (double)params.W_dec[7 * D + i];
    ck_assert(fabs(like_in_direction.weights[0] - sqrt(norm2)) <= 1e-6 * sqrt(norm2));
    ck_assert_double_eq(without_direction.weights[0], 0);
    ck_assert_double_gt(silent.weights[0], 0);
    sae_clusters_free(clusters);
}
END_TEST

START_TEST(a_constant_latent_has_no_correlation)
{
    double activation[8 * LATENTS] = {0};
    for (size_t p = 0; p < 8; p++) {
        activation[p * LATENTS] = 0.1;
        activation[p * LATENTS + 1] = 0.1 + (double)p * 1e-3;
    }
    saei_profile *profile = profile_of(activation, 8);
    double cosine[4], correlation[4];
    saei_alikeness alike = {cosine, correlation};
    check(saei_alikeness_fill(&alike, model, (const saei_profile *const *)&profile, 1, (uint32_t[]){0, 1}, 2,
                              &err));
    ck_assert_double_eq(correlation[1], 0);
    ck_assert_double_eq(correlation[2], 0);
    saei_profile_free(profile);
}
END_TEST

/* Equal similarities: the lowest first items are merged first, and the mean over pairs decides what follows.
 */
START_TEST(ties_go_to_the_first)
{
    double s[16] = {1, .8, .1, .1, .8, 1, .8, .1, .1, .8, 1, .2, .1, .1, .2, 1};
    uint32_t cluster[4];
    check(saei_average_linkage(cluster, s, 4, 0.45, context, &err));
    const uint32_t expected[4] = {0, 0, 0, 3}; /* mean(.1, .8) = .45 */
    ck_assert_mem_eq(cluster, expected, sizeof expected);
}
END_TEST

/* Matched with its own model, a cluster comes home whichever member is closest; one without a direction does
 * not.
 */
START_TEST(a_cluster_is_found_in_its_own_model)
{
    size_t index;
    sae_clusters *clusters = clusters_of_fixture();
    sae_match match[LATENTS];
    check(sae_clusters_match(match, clusters, model, model, NULL, NULL, &err));
    sae_cluster cluster = cluster_of(clusters, 0, &index),
                closest = cluster_of(clusters, match[index].latent, &index);
    ck_assert_ptr_eq(cluster.latents, closest.latents);
    ck_assert(match[index].mutual);
    ck_assert(match[index].cosine > 0.7 && match[index].cosine < 1);
    cluster_of(clusters, 13, &index);
    ck_assert(isnan(match[index].cosine) && !match[index].mutual);
    sae_clusters_free(clusters);
}
END_TEST

START_TEST(wrong_candidates_are_refused)
{
    sae_clusters *clusters;
    const saei_profile *const *p = (const saei_profile *const *)profiles;
    ck_assert_int_eq(saei_clusters_new(&clusters, model, p, PROFILES, (uint32_t[]){3, LATENTS}, 2, 0.3, &err),
                     SAE_E_ARGUMENT);
    ck_assert_ptr_null(clusters);
    ck_assert_int_eq(saei_clusters_new(&clusters, model, p, PROFILES, (uint32_t[]){3, 1, 3}, 3, 0.3, &err),
                     SAE_E_ARGUMENT);
    ck_assert_int_eq(saei_clusters_new(&clusters, model, p, PROFILES, candidates, 2, (double)NAN, &err),
                     SAE_E_ARGUMENT);
    check(saei_clusters_new(&clusters, model, p, PROFILES, candidates, 0, 0.3, &err));
    ck_assert_uint_eq(sae_clusters_count(clusters), 0);
    sae_clusters_free(clusters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clusters");
    TCase *tests = tcase_create("clusters");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, pairs_are_those_of_numpy);
    tcase_add_test(tests, groups_are_those_of_scipy);
    tcase_add_test(tests, a_cluster_has_a_direction_and_weights);
    tcase_add_test(tests, a_cluster_is_a_latent_of_a_profile);
    tcase_add_test(tests, a_latent_without_a_partner_stays_itself);
    tcase_add_test(tests, a_constant_latent_has_no_correlation);
    tcase_add_test(tests, ties_go_to_the_first);
    tcase_add_test(tests, a_cluster_is_found_in_its_own_model);
    tcase_add_test(tests, wrong_candidates_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
