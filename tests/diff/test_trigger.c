#include "diff/profile_select.h"
#include "diff/trigger.h"
#include "dense_profile.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>

enum { LATENTS = 2 };

static sae_context *context;
static saei_profile *conditions[4]; /* after with, after without, before with, before without */

static void setup(void)
{
    context = toy_context(2);
    for (int c = 0; c < 4; c++) {
        char name[32];
        size_t n, n_values;
        snprintf(name, sizeof name, "trigger_id_%d", c);
        double *id = fixture(SERIES_FIXTURES, name, &n);
        snprintf(name, sizeof name, "trigger_%d", c);
        double *values = fixture(SERIES_FIXTURES, name, &n_values);
        conditions[c] = dense_profile(context, values, id, n, LATENTS);
        free(values);
        free(id);
    }
}

static void teardown(void)
{
    for (int c = 0; c < 4; c++)
        saei_profile_free(conditions[c]);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static saei_trigger whole(void)
{
    return (saei_trigger){.after_with = conditions[0],
                          .after_without = conditions[1],
                          .before_with = conditions[2],
                          .before_without = conditions[3],
                          .reference = conditions[3],
                          .alpha = 0.05,
                          .bootstrap = 200,
                          .confidence = 0.95};
}

static void check(const sae_trigger_response *responses, const char *contrast)
{
    size_t n;
    double *expected = fixture(SERIES_FIXTURES, contrast, &n);
    double *standing = fixture(SERIES_FIXTURES, "trigger_standing", &n);
    for (size_t j = 0; j < LATENTS; j++) {
        assert_close(responses[j].contrast.estimate, expected[j], 1e-9, "contrast");
        assert_close(responses[j].contrast.se, expected[LATENTS + j], 1e-9, "its se");
        assert_close(responses[j].standing.estimate, standing[j], 1e-9, "standing");
        assert_close(responses[j].standing.se, standing[LATENTS + j], 1e-9, "its se");
        ck_assert(responses[j].contrast.low <= responses[j].contrast.estimate &&
                  responses[j].contrast.estimate <= responses[j].contrast.high);
    }
    free(standing);
    free(expected);
}

START_TEST(contrasts_are_those_of_numpy)
{
    saei_trigger trigger = whole();
    sae_trigger_response responses[LATENTS];
    sae_trigger_matching matching;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_OK);
    check(responses, "trigger_contrast");
    ck_assert(matching.has_before);
    ck_assert_uint_eq(matching.matched, 5);
    const size_t left[4] = {2, 1, 1, 2};
    ck_assert_mem_eq(matching.unmatched, left, sizeof left);
    /* Five prompts have 32 sign patterns: nothing can be significant. */
    ck_assert(responses[0].contrast.p >= 1.0 / 16 * 0.9);
}
END_TEST

START_TEST(without_before_the_contrast_is_plain)
{
    saei_trigger trigger = whole();
    trigger.before_with = trigger.before_without = NULL;
    conditions[0]->id[0] = 1.5; /* leaves the same five prompts in common: 1 was held by both */
    sae_trigger_response responses[LATENTS];
    sae_trigger_matching matching;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_OK);
    ck_assert(!matching.has_before);
    ck_assert_uint_eq(matching.matched, 4);
    conditions[0]->id[0] = 1;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_OK);
    check(responses, "trigger_plain");
    ck_assert_uint_eq(matching.unmatched[0], 2);
    ck_assert_uint_eq(matching.unmatched[2], 0);
}
END_TEST

/* Latent 0 answers to the trigger and stands high without it; latent 1 does neither. */
START_TEST(standing_elevation_is_warned_of)
{
    enum { N = 40 };
    double with[N * LATENTS], without[N * LATENTS], before[N * LATENTS];
    for (size_t p = 0; p < N; p++) {
        double wobble = 0.1 * sin((double)p), other = 0.1 * cos((double)(3 * p));
        before[2 * p] = 1 + wobble;
        without[2 * p] = 1.5 + other;
        with[2 * p] = 4 + wobble;
        before[2 * p + 1] = without[2 * p + 1] = 1 + wobble;
        with[2 * p + 1] = 1 + wobble + (p % 2 ? 0.01 : -0.01);
    }
    saei_profile *aw = dense_profile(context, with, NULL, N, LATENTS);
    saei_profile *ao = dense_profile(context, without, NULL, N, LATENTS);
    saei_profile *b = dense_profile(context, before, NULL, N, LATENTS);
    saei_trigger trigger = {.after_with = aw,
                            .after_without = ao,
                            .before_with = b,
                            .before_without = b,
                            .reference = b,
                            .reference_paired = true,
                            .alpha = 0.05,
                            .confidence = 0.95};
    sae_trigger_response responses[LATENTS], listed;
    sae_trigger_matching matching;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_OK);
    ck_assert_uint_eq(matching.matched, N);
    ck_assert(responses[0].contrast.q < 0.05 && responses[0].standing_up);
    ck_assert(responses[1].contrast.p > 0.05 && !responses[1].standing_up);
    const uint32_t latent = 1;
    trigger.latents = &latent;
    trigger.n_latents = 1;
    ck_assert_int_eq(saei_trigger_contrast(&listed, &matching, &trigger, NULL), SAE_OK);
    ck_assert_uint_eq(listed.latent, 1);
    ck_assert_double_eq(listed.contrast.estimate, responses[1].contrast.estimate);
    ck_assert_double_eq(listed.contrast.p, responses[1].contrast.p);
    saei_profile_free(b);
    saei_profile_free(ao);
    saei_profile_free(aw);
}
END_TEST

START_TEST(what_is_refused)
{
    saei_trigger trigger = whole();
    sae_trigger_response responses[LATENTS];
    sae_trigger_matching matching;
    trigger.before_with = NULL;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_E_ARGUMENT);
    const double values[3] = {1, 2, 3}, foreign[1 * LATENTS] = {1, 2};
    saei_profile *narrow = dense_profile(context, values, NULL, 3, 1);
    saei_profile *lone = dense_profile(context, foreign, NULL, 1, LATENTS);
    trigger = whole();
    trigger.reference = narrow;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_E_MISMATCH);
    trigger = whole();
    trigger.before_with = lone;
    ck_assert_int_eq(saei_trigger_contrast(responses, &matching, &trigger, NULL), SAE_E_MISMATCH);
    saei_profile_free(lone);
    saei_profile_free(narrow);
}
END_TEST

START_TEST(selection_keeps_order_and_ids)
{
    const double values[6] = {1, 0, 2, 3, 0, 4}, id[3] = {4, 7, 9};
    saei_profile *profile = dense_profile(context, values, id, 3, LATENTS), *part;
    const uint32_t latents[3] = {1, 0, 1}, prompts[2] = {0, 2};
    ck_assert_int_eq(saei_profile_select(&part, profile, latents, 3, prompts, 2, NULL), SAE_OK);
    ck_assert_uint_eq(part->n_latents, 3);
    ck_assert_uint_eq(part->n_prompts, 2);
    ck_assert(part->id[0] == 4 && part->id[1] == 9);
    const uint64_t ptr[4] = {0, 1, 2, 3};
    const uint32_t prompt[3] = {1, 0, 1};
    const double activation[3] = {4, 1, 4};
    ck_assert_mem_eq(part->ptr, ptr, sizeof ptr);
    ck_assert_mem_eq(part->prompt, prompt, sizeof prompt);
    ck_assert_mem_eq(part->activation, activation, sizeof activation);
    saei_profile_free(part);
    saei_profile_free(profile);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trigger");
    TCase *tests = tcase_create("trigger");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, contrasts_are_those_of_numpy);
    tcase_add_test(tests, without_before_the_contrast_is_plain);
    tcase_add_test(tests, standing_elevation_is_warned_of);
    tcase_add_test(tests, what_is_refused);
    tcase_add_test(tests, selection_keeps_order_and_ids);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
