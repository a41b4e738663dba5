/* What needs a second dump beside the first: the encoding of row differences, and attribution by gradients.
 */
#include "apply/groups.h"
#include "base/rng.h"
#include "diff/attribution.h"
#include "diff/difference_encoding.h"
#include "diff/paired_rows.h"
#include "dump/same_rows.h"
#include "../tools/run_suite.h"
#include "ranker_fixture.h"

/* Mean activation of each latent on the row differences; to be freed. */
static double *difference_means(const sae_model *model, sae_context *context, const sae_dump *before,
                                const sae_dump *after)
{
    saei_groups *groups;
    saei_difference_encoder *encoder;
    saei_profile *profile;
    ck_assert_int_eq(saei_groups_read(&groups, context, after, "prompt_id", NULL), SAE_OK);
    sae_error err = {0};
    sae_status status =
        saei_difference_encoder_new(&encoder, model, before, after, "prompt_id", groups, NULL, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    saei_pass pass = {
        .model = model, .dump = after, .consume = saei_difference_encoder_observe, .consume_user = encoder};
    ck_assert_int_eq(saei_pass_run(&pass, NULL), SAE_OK);
    ck_assert_int_eq(saei_difference_encoder_finish(&profile, encoder, NULL), SAE_OK);
    size_t n = sae_model_latents(model);
    double *means = malloc(n * sizeof *means);
    for (size_t j = 0; j < n; j++)
        means[j] = saei_mean_over_prompts(profile, profile->activation, j);
    saei_profile_free(profile);
    saei_difference_encoder_free(encoder);
    saei_groups_free(groups);
    return means;
}

START_TEST(difference_encoding_is_that_of_numpy)
{
    static const char *const names[4] = {"difference_topk", "difference_relu", "difference_jumprelu",
                                         "difference_gated"};
    sae_context *context = toy_context(2);
    fixture_rows before = open_rows(context, "before_rows"), after = open_rows(context, "after_rows");
    for (int activation = SAE_TOPK; activation <= SAE_GATED; activation++) {
        sae_model *model = fixture_model(context, (sae_activation)activation);
        double *means = difference_means(model, context, before.dump, after.dump);
        check_scores(means, names[activation]);
        free(means);
        /* No change, no code, although the model has latents that are always on. */
        means = difference_means(model, context, before.dump, before.dump);
        for (size_t j = 0; j < F; j++)
            ck_assert(means[j] == 0);
        free(means);
        sae_model_free(model);
    }
    close_rows(&before);
    close_rows(&after);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

static void check_refused(const sae_dump *a, const sae_dump *b, const char *reason)
{
    sae_error err = {0};
    ck_assert_int_eq(saei_dump_same_rows(a, b, "prompt_id", &err), SAE_E_MISMATCH);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

START_TEST(other_rows_are_refused)
{
    sae_context *context = toy_context(1);
    float rows[12] = {0};
    double prompt[4] = {0, 0, 1, 1}, other[4] = {0, 0, 0, 1}, position[4] = {0, 1, 0, 1};
    double shifted[4] = {1, 2, 0, 1};
    sae_dump *a = toy_dump(context, rows, 4, 3, prompt), *same = toy_dump(context, rows, 4, 3, prompt);
    sae_dump *bare = toy_dump(context, rows, 4, 3, NULL), *fewer = toy_dump(context, rows, 3, 3, prompt);
    sae_dump *wide = toy_dump(context, rows, 4, 2, prompt), *moved = toy_dump(context, rows, 4, 3, other);
    ck_assert_int_eq(sae_dump_add_column(a, "position", position, NULL), SAE_OK);
    ck_assert_int_eq(saei_dump_same_rows(a, same, "prompt_id", NULL), SAE_OK);
    ck_assert_int_eq(saei_dump_same_rows(a, bare, "prompt_id", NULL), SAE_OK);
    check_refused(a, fewer, ": 3 rows, but");
    check_refused(a, wide, "rows of width 2, but");
    check_refused(a, moved, "row 2 has prompt_id 0, but 1 in");
    ck_assert_int_eq(sae_dump_add_column(same, "position", shifted, NULL), SAE_OK);
    check_refused(a, same, "row 0 has position 1, but 0 in");
    sae_dump *all[6] = {a, same, bare, fewer, wide, moved};
    for (int i = 0; i < 6; i++)
        sae_dump_free(all[i]);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

/* Activations and gradients of one kind of completion, read. */
typedef struct completions {
    saei_groups *groups;
    saei_attribution *attribution;
} completions;

static completions read_completions(const sae_model *model, sae_context *context, const sae_dump *rows,
                                    const sae_dump *gradients)
{
    completions c;
    ck_assert_int_eq(saei_groups_read(&c.groups, context, rows, "prompt_id", NULL), SAE_OK);
    ck_assert_int_eq(
        saei_attribution_new(&c.attribution, rows, gradients, "prompt_id", c.groups, NULL, context, NULL),
        SAE_OK);
    saei_pass pass = {
        .model = model, .dump = rows, .consume = saei_attribution_observe, .consume_user = c.attribution};
    ck_assert_int_eq(saei_pass_run(&pass, NULL), SAE_OK);
    return c;
}

static void free_completions(completions *c)
{
    saei_attribution_free(c->attribution);
    saei_groups_free(c->groups);
}

START_TEST(attribution_is_that_of_numpy)
{
    sae_context *context = toy_context(2);
    sae_model *model = fixture_model(context, SAE_RELU);
    static const char *const names[4] = {"bad_rows", "bad_gradients", "good_rows", "good_gradients"};
    fixture_rows r[4];
    for (int i = 0; i < 4; i++)
        r[i] = open_rows(context, names[i]);
    completions bad = read_completions(model, context, r[0].dump, r[1].dump);
    completions good = read_completions(model, context, r[2].dump, r[3].dump);
    double score[F];
    ck_assert_int_eq(saei_attribution_scores(score, bad.attribution, NULL, model, NULL), SAE_OK);
    size_t n;
    double *expected = fixture(FIXTURES, "attribution_bad", &n);
    for (size_t j = 0; j < F; j++)
        ck_assert(fabs(score[j] - expected[j]) <= 1e-6);
    free(expected);
    ck_assert_int_eq(saei_attribution_scores(score, bad.attribution, good.attribution, model, NULL), SAE_OK);
    expected = fixture(FIXTURES, "attribution_contrast", &n);
    for (size_t j = 0; j < F; j++)
        ck_assert(fabs(score[j] - expected[j]) <= 1e-6);
    free(expected);
    ck_assert_int_eq(saei_attribution_scores(score, bad.attribution, bad.attribution, model, NULL), SAE_OK);
    for (size_t j = 0; j < F; j++)
        ck_assert(score[j] == 0);
    good.groups->id[0] = -1;
    sae_error err = {0};
    ck_assert_int_eq(saei_attribution_scores(score, bad.attribution, good.attribution, model, &err),
                     SAE_E_MISMATCH);
    free_completions(&bad);
    free_completions(&good);
    for (int i = 0; i < 4; i++)
        close_rows(&r[i]);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

/* More rows than a block and more dimensions than a tile. Latent j is the j-th axis. Where the first PLANTED
   latents are active, going further along them lowers the loss: their gradient is negative there and 0
   elsewhere; the gradient along all others is noise that does not know of the activation. */
enum { WIDE = 96, ROWS = 9000, PLANTED = 3 };

static double *planted_scores(unsigned threads, const float *rows, const float *gradients,
                              const double *prompt)
{
    sae_context *context = toy_context(threads);
    sae_model *model = toy_identity(context, WIDE, 8);
    sae_dump *dump = toy_dump(context, rows, ROWS, WIDE, prompt);
    sae_dump *beside = toy_dump(context, gradients, ROWS, WIDE, NULL);
    completions c = read_completions(model, context, dump, beside);
    double *score = malloc(WIDE * sizeof *score);
    ck_assert_int_eq(saei_attribution_scores(score, c.attribution, NULL, model, NULL), SAE_OK);
    free_completions(&c);
    sae_dump_free(beside);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    return score;
}

START_TEST(attribution_finds_what_carries_the_gradient)
{
    float *rows = malloc(ROWS * WIDE * sizeof *rows), *gradients = malloc(ROWS * WIDE * sizeof *gradients);
    double *prompt = malloc(ROWS * sizeof *prompt);
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < ROWS; i++) {
        prompt[i] = (double)(i / 30);
        for (size_t j = 0; j < WIDE; j++) {
            bool active = saei_rng_uniform(&rng) < 0.3;
            rows[i * WIDE + j] = (float)(active ? 2 + saei_rng_normal(&rng) : 0) + 100;
            gradients[i * WIDE + j] = j < PLANTED ? (active ? -1 : 0) : (float)saei_rng_normal(&rng);
        }
    }
    double *score = planted_scores(1, rows, gradients, prompt);
    /* E(active · (a − ā)) = 0.3 · (2 − 0.6) = 0.42; the others have a standard error of about 0.011. */
    for (size_t j = 0; j < WIDE; j++)
        ck_assert_msg(j < PLANTED ? fabs(score[j] - 0.42) <= 0.05 : fabs(score[j]) <= 0.1, "latent %zu: %g",
                      j, score[j]);
    double *threaded = planted_scores(3, rows, gradients, prompt);
    ck_assert_mem_eq(score, threaded, WIDE * sizeof *score);
    free(threaded);
    free(score);
    free(prompt);
    free(gradients);
    free(rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paired_rows");
    TCase *tests = tcase_create("paired_rows");
    tcase_add_test(tests, difference_encoding_is_that_of_numpy);
    tcase_add_test(tests, other_rows_are_refused);
    tcase_add_test(tests, attribution_is_that_of_numpy);
    tcase_add_test(tests, attribution_finds_what_carries_the_gradient);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
