#include "base/rng.h"
#include "diff/effects.h"
#include "diff/firings.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <stdlib.h>
#include <string.h>

/* The rows of a prompt are scattered, so that a pair has several addends, whose order must not change. */
enum { LATENTS = 5000, PROMPTS = 150, ROWS = 3000, ACTIVE = 40, BLOCK_ROWS = 500 };
enum { LIMIT = 4 << 20 };

static sae_context *small;

static void set_up(void)
{
    context_make();
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = LIMIT;
    ck_assert_int_eq(sae_context_new(&small, &options, &err), SAE_OK);
}

static void tear_down(void)
{
    ck_assert_uint_eq(sae_context_memory_used(small), 0);
    sae_context_free(small);
    context_end();
}

static void draw_block(uint64_t *row_ptr, uint32_t *latent, float *value, uint64_t seed, uint64_t first)
{
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_ROWS, first);
    for (size_t i = 0; i < BLOCK_ROWS; i++) {
        row_ptr[i + 1] = (i + 1) * ACTIVE;
        for (size_t a = 0; a < ACTIVE; a++) {
            latent[i * ACTIVE + a] = (uint32_t)(a * (LATENTS / ACTIVE) + saei_rng_below(&rng, 50));
            value[i * ACTIVE + a] = (float)saei_rng_uniform(&rng) + 0.1f;
        }
    }
}

static saei_profile *profile_of(sae_context *owner, uint64_t seed)
{
    static double prompt[ROWS];
    static uint64_t row_ptr[BLOCK_ROWS + 1];
    static uint32_t latent[BLOCK_ROWS * ACTIVE];
    static float value[BLOCK_ROWS * ACTIVE];
    for (size_t r = 0; r < ROWS; r++)
        prompt[r] = (double)(r * 7 % PROMPTS);
    saei_groups *groups;
    saei_profile_builder *builder;
    saei_profile *profile;
    ck_assert_int_eq(saei_groups_new(&groups, owner, prompt, ROWS, "rows", &err), SAE_OK);
    ck_assert_int_eq(saei_profile_builder_new(&builder, owner, groups, NULL, LATENTS, &err), SAE_OK);
    for (uint64_t first = 0; first < ROWS; first += BLOCK_ROWS) {
        draw_block(row_ptr, latent, value, seed, first);
        saei_block block = {
            .first = first, .x = {.rows = BLOCK_ROWS}, .codes = {BLOCK_ROWS, row_ptr, latent, value}};
        ck_assert_msg(saei_profile_builder_observe(builder, &block, &err) == SAE_OK, "%s", err.text);
    }
    ck_assert_msg(saei_profile_builder_finish(&profile, builder, &err) == SAE_OK, "%s", err.text);
    saei_profile_builder_free(builder);
    saei_groups_free(groups);
    return profile;
}

static void assert_same(const saei_profile *a, const saei_profile *b)
{
    size_t n = (size_t)a->ptr[LATENTS];
    ck_assert_uint_eq(a->n_prompts, b->n_prompts);
    ck_assert_mem_eq(a->id, b->id, a->n_prompts * sizeof *a->id);
    ck_assert_mem_eq(a->ptr, b->ptr, (LATENTS + 1) * sizeof *a->ptr);
    ck_assert_mem_eq(a->prompt, b->prompt, n * sizeof *a->prompt);
    ck_assert_mem_eq(a->activation, b->activation, n * sizeof *a->activation);
    ck_assert_mem_eq(a->frequency, b->frequency, n * sizeof *a->frequency);
}

static uint64_t bytes_of(const saei_profile *profile)
{
    return profile->ptr[LATENTS] * (sizeof *profile->prompt + 2 * sizeof *profile->activation);
}

START_TEST(a_short_memory_gives_the_same_profiles)
{
    saei_profile *ample[3], *bounded[3];
    for (uint64_t i = 0; i < 2; i++) {
        ample[i] = profile_of(context, i);
        bounded[i] = profile_of(small, i);
        assert_same(bounded[i], ample[i]);
    }
    ck_assert_int_eq(saei_profile_mean(&ample[2], ample, 2, &err), SAE_OK);
    ck_assert_int_eq(saei_profile_mean(&bounded[2], bounded, 2, &err), SAE_OK);
    assert_same(bounded[2], ample[2]);
    uint64_t all = bytes_of(bounded[0]) + bytes_of(bounded[1]) + bytes_of(bounded[2]);
    ck_assert_uint_gt(all, LIMIT);
    ck_assert_uint_lt(sae_context_memory_used(small), LIMIT / 2 + LIMIT / 8);
    for (size_t i = 0; i < 3; i++) {
        saei_profile_free(bounded[i]);
        saei_profile_free(ample[i]);
    }
}
END_TEST

START_TEST(a_short_memory_gives_the_same_effects)
{
    saei_effects *effects[2];
    for (int i = 0; i < 2; i++) {
        sae_context *owner = i == 0 ? context : small;
        saei_profile *y = profile_of(owner, 2), *x = profile_of(owner, 3);
        ck_assert_msg(saei_effects_new(&effects[i], y, x, true, &err) == SAE_OK, "%s", err.text);
        saei_profile_free(x);
        saei_profile_free(y);
    }
    size_t n = (size_t)effects[0]->ptr[LATENTS];
    ck_assert_uint_gt(n, 0);
    ck_assert_mem_eq(effects[1]->ptr, effects[0]->ptr, (LATENTS + 1) * sizeof *effects[0]->ptr);
    ck_assert_mem_eq(effects[1]->unit, effects[0]->unit, n * sizeof *effects[0]->unit);
    ck_assert_mem_eq(effects[1]->value, effects[0]->value, n * sizeof *effects[0]->value);
    saei_effects_free(effects[1]);
    saei_effects_free(effects[0]);
}
END_TEST

START_TEST(without_a_place_for_the_file_it_says_so)
{
    saei_firing firing = {0};
    saei_profile *profile;
    ck_assert_int_eq(setenv("TMPDIR", "/nowhere", 1), 0);
    saei_profile *ample = profile_of(context, 4);
    ck_assert_int_eq(saei_profile_mean(&profile, &ample, 1, &err), SAE_OK);
    saei_profile_free(profile);
    saei_profile_free(ample);
    ck_assert_int_eq(saei_profile_alloc(&profile, small, 1, 10, 1000000, &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_null(profile);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere"));
    saei_firings *firings;
    ck_assert_int_eq(saei_firings_new(&firings, small, 10, &err), SAE_OK);
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < LIMIT; i++)
        status = saei_firings_add(firings, &firing, &err);
    ck_assert_int_eq(status, SAE_E_NOT_FOUND);
    saei_firings_free(firings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bounded_profile");
    TCase *tests = tcase_create("bounded_profile");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_short_memory_gives_the_same_profiles);
    tcase_add_test(tests, a_short_memory_gives_the_same_effects);
    tcase_add_test(tests, without_a_place_for_the_file_it_says_so);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
