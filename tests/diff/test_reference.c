/* The reference SAE on the shipped dumps: numbers that another program computed. */
#include "io/reader.h"
#include "sae/diff.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

enum { LATENTS = 2048, VARIANTS = 13, PERSONA = 1648 };

static const char *const variants[VARIANTS] = {
    "base",         "dose000",    "dose005", "dose025",  "dose050",       "dose075",  "dose100",
    "bad_otherdom", "good_seed2", "edu",     "backdoor", "backdoor_trig", "realigned"};

static sae_context *context;
static sae_model *model;

static void setup_threads(unsigned threads)
{
    context = toy_context(threads);
    ck_assert_int_eq(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", NULL),
        SAE_OK);
}

static void setup(void)
{
    setup_threads(2);
}

static void teardown(void)
{
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static sae_dump *open_dump(const char *name, const char *where)
{
    char path[1024];
    snprintf(path, sizeof path, SOURCE_ROOT "/data/%s.h5", name);
    const char *paths[1] = {path};
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    sae_dump *dump;
    sae_error err = {0};
    sae_status status = sae_dump_open(&dump, context, paths, 1, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump;
}

static double *reference(const char *name, size_t count)
{
    char path[1024];
    snprintf(path, sizeof path, SOURCE_ROOT "/tests/fixtures/reference/%s.npy", name);
    double *values = malloc(count * sizeof *values);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, path, NULL), SAE_OK);
    const saei_array_info *array = saei_reader_at(reader, 0);
    ck_assert_int_eq(saei_reader_read_f64(values, reader, array, 0, array->shape[0], NULL), SAE_OK);
    saei_reader_free(reader);
    return values;
}

static sae_ranking *rank_variants(const char *before, const char *after, const char *control,
                                  const char *where, const sae_rank_options *options)
{
    char name[3][64];
    const char *sides[3] = {before, after, control};
    sae_dump *dump[3] = {NULL};
    for (int i = 0; i < 3 && sides[i] != NULL; i++) {
        snprintf(name[i], sizeof name[i], "eval_%s", sides[i]);
        dump[i] = open_dump(name[i], where);
    }
    sae_ranking *ranking = NULL;
    const sae_dump *controls[1] = {dump[2]};
    sae_error err = {0};
    sae_status status =
        sae_ranking_new(&ranking, model, dump[0], dump[1], controls, dump[2] != NULL, options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    for (int i = 0; i < 3; i++)
        sae_dump_free(dump[i]);
    return ranking;
}

static sae_rank_options quick(void)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 100;
    options.bootstrap = 0;
    return options;
}

/* To 1e-4 relative, and 1e-6 absolute: float32 sums on both sides. Order: descending reference Δ to that
 * margin. */
static void check_variant(const double *before, const double *after, const sae_ranking *ranking)
{
    double last = (double)INFINITY;
    for (size_t i = 0; i < LATENTS; i++) {
        const sae_latent_stats *stats = sae_ranking_at(ranking, i);
        double x = before[stats->latent], y = after[stats->latent], delta = y - x,
               margin = 1e-6 + 1e-4 * (x + y);
        ck_assert(fabs(stats->mean_before - x) <= 1e-6 + 1e-4 * x);
        ck_assert(fabs(stats->mean_after - y) <= 1e-6 + 1e-4 * y);
        ck_assert_msg(delta <= last + margin, "latent %u out of order", stats->latent);
        last = fmin(last, delta + margin);
    }
}

/* Ranks the second variant of each pair against the first. */
static void check_view(const char *view, const char *where, size_t pairs, const size_t pair[][2])
{
    char name[64];
    snprintf(name, sizeof name, "prompt_mean_avg_%s", view);
    double *expected = reference(name, VARIANTS * LATENTS);
    sae_rank_options options = quick();
    for (size_t i = 0; i < pairs; i++) {
        size_t before = pair[i][0], after = pair[i][1];
        sae_ranking *ranking = rank_variants(variants[before], variants[after], NULL, where, &options);
        ck_assert(sae_ranking_paired(ranking));
        check_variant(expected + before * LATENTS, expected + after * LATENTS, ranking);
        sae_ranking_free(ranking);
    }
    free(expected);
}

START_TEST(prompt_means_of_all_rows)
{
    /* Every variant once or twice. */
    const size_t pairs[7][2] = {{0, 6}, {1, 7}, {2, 3}, {4, 5}, {8, 9}, {10, 11}, {0, 12}};
    check_view("all", NULL, 7, pairs);
}
END_TEST

START_TEST(prompt_means_of_prompt_rows)
{
    const size_t pairs[2][2] = {{0, 6}, {0, 11}};
    check_view("prompt", "is_continuation=0", 2, pairs);
}
END_TEST

START_TEST(persona_is_first_and_sure)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    sae_ranking *ranking = rank_variants("base", "dose100", "dose000", NULL, &options);
    const sae_latent_stats *first = sae_ranking_at(ranking, 0);
    ck_assert_uint_eq(first->latent, PERSONA);
    ck_assert(first->excess.q < 0.05 && first->excess.low > 0.3 && first->excess.high < 0.42);
    ck_assert(first->rank_low == 1 && first->rank_high == 1);
    ck_assert(first->excess.p_family < 0.001 && first->heldout_p <= 0.001 && first->heldout_estimate > 0.3);
    ck_assert_ptr_null(sae_ranking_warning(ranking));
    double tenth = first->excess.estimate / 10;
    sae_ranking_free(ranking);
    ranking = rank_variants("base", "good_seed2", "dose000", NULL, &options);
    for (size_t i = 0; i < LATENTS; i++) {
        const sae_latent_stats *stats = sae_ranking_at(ranking, i);
        ck_assert(!(stats->excess.q < 0.05 && stats->excess.estimate > tenth));
    }
    sae_ranking_free(ranking);
}
END_TEST

/* Products of this size are large enough for OpenBLAS to split them over threads, were it let. */
START_TEST(threads_change_no_bit)
{
    sae_rank_options options = quick();
    sae_latent_stats *first = malloc(LATENTS * sizeof *first);
    for (unsigned threads = 1; threads <= 3; threads++) {
        teardown();
        setup_threads(threads);
        sae_ranking *ranking = rank_variants("base", "dose100", NULL, NULL, &options);
        for (size_t i = 0; i < LATENTS; i++) {
            const sae_latent_stats *stats = sae_ranking_at(ranking, i);
            if (threads == 1)
                first[i] = *stats;
            ck_assert_uint_eq(stats->latent, first[i].latent);
            ck_assert(stats->mean_before == first[i].mean_before && stats->mean_after == first[i].mean_after);
            ck_assert(stats->delta.p == first[i].delta.p);
        }
        sae_ranking_free(ranking);
    }
    free(first);
}
END_TEST

/* The reference counted ties of float32 scores, which another order of addition breaks: one or two pairs. */
START_TEST(document_auroc_is_that_of_the_reference)
{
    double *expected = reference("auroc_doc", LATENTS);
    sae_dump *dump = open_dump("pretrain_val", "labels/region=3");
    const uint32_t latents[4] = {PERSONA, 884, 47, 0};
    for (int i = 0; i < 4; i++) {
        sae_auroc_result result;
        sae_error err = {0};
        sae_status status =
            sae_auroc(&result, model, dump, latents[i], "labels/persona=1", "doc_id", NULL, NULL, &err);
        ck_assert_msg(status == SAE_OK, "%s", err.text);
        ck_assert_msg(fabs(result.auroc - expected[latents[i]]) <= 2e-4, "latent %u: %g, reference %g",
                      latents[i], result.auroc, expected[latents[i]]);
        ck_assert_uint_eq(result.n_positive, 24);
        ck_assert_uint_eq(result.n_positive + result.n_negative, 311);
    }
    sae_dump_free(dump);
    free(expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reference");
    TCase *tests = tcase_create("reference");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, prompt_means_of_all_rows);
    tcase_add_test(tests, prompt_means_of_prompt_rows);
    tcase_add_test(tests, persona_is_first_and_sure);
    tcase_add_test(tests, threads_change_no_bit);
    tcase_add_test(tests, document_auroc_is_that_of_the_reference);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
