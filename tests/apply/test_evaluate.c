/* The figures of an evaluation against NumPy, and where they are not numbers. */
#include "apply/density.h"
#include "base/rng.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"
#include "sae/apply.h"

#include <math.h>
#include <string.h>

enum { D = 5, F = 9, ROWS = 600 };

/* The array of the fixtures as floats, to be freed. */
static float *floats(const char *name, size_t expected)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n);
    float *out = calloc(n, sizeof *out);
    ck_assert_uint_eq(n, expected);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
    free(values);
    return out;
}

static sae_model *fixture_model(sae_context *context)
{
    float *W_enc = floats("W_enc", F * D), *b_enc = floats("b_enc", F), *W_dec = floats("W_dec", F * D),
          *b_dec = floats("b_dec", D);
    sae_params params = {.d = D,
                         .n_latents = F,
                         .activation = SAE_RELU,
                         .W_enc = W_enc,
                         .b_enc = b_enc,
                         .W_dec = W_dec,
                         .b_dec = b_dec};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    free(W_enc);
    free(b_enc);
    free(W_dec);
    free(b_dec);
    return model;
}

static void evaluate(sae_evaluation *out, uint64_t *fires, unsigned threads, const float *x)
{
    sae_context *context = toy_context(threads);
    sae_model *model = fixture_model(context);
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    memset(out, 0, sizeof *out);
    ck_assert_int_eq(sae_model_evaluate_all(out, fires, model, dump, NULL, NULL, NULL), SAE_OK);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static void is_that_of_numpy(double got, const char *name)
{
    size_t n;
    double *expected = fixture(FIXTURES, name, &n);
    assert_close(got, expected[0], 1e-6, name);
    free(expected);
}

START_TEST(variants_are_those_of_numpy)
{
    float *x = floats("x", ROWS * D);
    sae_evaluation got;
    evaluate(&got, NULL, 2, x);
    ck_assert_uint_eq(got.fidelity.rows, ROWS);
    is_that_of_numpy(got.fidelity.explained_variance, "explained_variance");
    is_that_of_numpy(got.fidelity.l0, "l0");
    is_that_of_numpy(got.fidelity.cosine, "cosine");
    is_that_of_numpy(got.variants.explained_variance, "explained_variance");
    is_that_of_numpy(got.variants.saelens_legacy, "saelens_legacy");
    is_that_of_numpy(got.variants.dictionary_learning, "dictionary_learning");
    is_that_of_numpy(got.variants.sparsify_fvu, "sparsify_fvu");
    is_that_of_numpy(got.variants.openai_nmse, "openai_nmse");
    is_that_of_numpy(got.variants.l1, "l1");
    is_that_of_numpy(got.variants.l2_ratio, "l2_ratio");
    is_that_of_numpy(got.variants.relative_reconstruction_bias, "relative_reconstruction_bias");
    free(x);
}
END_TEST

START_TEST(fires_are_counted_and_nothing_depends_on_threads)
{
    float *x = floats("x", ROWS * D);
    size_t n;
    double *expected = fixture(FIXTURES, "fires", &n);
    sae_evaluation one, three;
    uint64_t fires[F], fires_again[F];
    evaluate(&one, fires, 1, x);
    evaluate(&three, fires_again, 3, x);
    for (size_t j = 0; j < F; j++)
        ck_assert(fires[j] == (uint64_t)expected[j]);
    ck_assert_mem_eq(fires, fires_again, sizeof fires);
    ck_assert_mem_eq(&one, &three, sizeof one);
    free(expected);
    free(x);
}
END_TEST

/* A mean of e that is large beside its variance must not cancel it. */
START_TEST(a_constant_error_costs_nothing_in_dictionary_learning)
{
    static float x[ROWS * D];
    saei_rng rng = saei_rng_new(8, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        x[i] = -30000 + (float)saei_rng_below(&rng, 100);
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, D, D); /* x̂ = 0, so that e = x */
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    sae_evaluation got;
    ck_assert_int_eq(sae_model_evaluate_all(&got, NULL, model, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert(fabs(got.variants.dictionary_learning) <= 1e-9);
    ck_assert(got.variants.explained_variance <= -1e5);
    ck_assert(fabs(got.variants.openai_nmse - 1) <= 1e-12);
    ck_assert_double_eq(got.variants.l2_ratio, 0);
    ck_assert(isnan(got.variants.relative_reconstruction_bias));
    ck_assert_uint_eq(got.densities.silent, D);
    sae_dump_free(dump);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

START_TEST(rows_that_do_not_vary)
{
    const float x[6] = {0};
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 3, 3);
    sae_dump *dump = toy_dump(context, x, 2, 3, NULL);
    sae_evaluation got;
    ck_assert_int_eq(sae_model_evaluate_all(&got, NULL, model, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert(isnan(got.variants.explained_variance) && isnan(got.variants.saelens_legacy));
    ck_assert(isnan(got.variants.dictionary_learning) && isnan(got.variants.sparsify_fvu));
    ck_assert(isnan(got.variants.openai_nmse) && isnan(got.variants.l2_ratio));
    ck_assert_double_eq(got.variants.l1, 0);
    sae_dump *wide = toy_dump(context, x, 1, 6, NULL);
    ck_assert_int_eq(sae_model_evaluate_all(&got, NULL, model, wide, NULL, NULL, NULL), SAE_E_MISMATCH);
    sae_dump_free(wide);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

START_TEST(densities_fall_on_the_upper_side_of_their_edges)
{
    /* of a million rows: silent; one and nine in a million; 1e-5; 1e-3; just below 1e-3; 0.1; above; all */
    const uint64_t fires[] = {0, 1, 9, 10, 1000, 999, 100000, 100001, 1000000};
    const size_t bins[SAE_DENSITY_BINS] = {[4] = 1, [5] = 1, [6] = 1, [9] = 1, [10] = 1, [14] = 2, [15] = 1};
    sae_densities got = saei_densities(fires, sizeof fires / sizeof fires[0], 1000000);
    ck_assert_uint_eq(got.silent, 1);
    ck_assert_uint_eq(got.rare, 3);
    ck_assert_uint_eq(got.dense, 2);
    ck_assert_mem_eq(got.bins, bins, sizeof bins);
    const uint64_t once = 1;
    ck_assert_uint_eq(saei_densities(&once, 1, 1000000000).bins[0], 1);
}
END_TEST

START_TEST(decoder_cosines_are_those_of_numpy)
{
    sae_context *context = toy_context(2);
    sae_model *model = fixture_model(context);
    size_t n;
    double *expected = fixture(FIXTURES, "nearest", &n), *bins = fixture(FIXTURES, "nearest_bins", &n);
    sae_decoder_cosines got;
    ck_assert_int_eq(sae_model_decoder_cosines(&got, NULL, model, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(got.latents, F);
    assert_close(got.mean, expected[0], 1e-6, "mean");
    assert_close(got.median, expected[1], 1e-6, "median");
    assert_close(got.upper, expected[2], 1e-6, "95 % quantile");
    assert_close(got.most, expected[3], 1e-6, "maximum");
    ck_assert_uint_eq(n, SAE_COSINE_BINS);
    for (size_t i = 0; i < SAE_COSINE_BINS; i++)
        ck_assert(got.bins[i] == (size_t)bins[i]);
    free(bins);
    free(expected);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

/* Rows of unit length along axes, each axis twice but for one: any pair of blocks may hold a twin. */
enum { AXES = 400, TWINS = 2 * AXES };

static sae_decoder_cosines cosines_of_twins(unsigned threads, bool with_zero)
{
    sae_context *context = toy_context(threads);
    float *W = calloc(TWINS * AXES, sizeof *W), *zero = calloc(TWINS, sizeof *zero);
    for (size_t j = 0; j < TWINS; j++)
        W[j * AXES + j % AXES] = (float)(1 + j % 7);
    if (with_zero)
        W[(TWINS - 1) * AXES + AXES - 1] = 0;
    sae_params params = {.d = AXES,
                         .n_latents = TWINS,
                         .activation = SAE_RELU,
                         .W_enc = W,
                         .b_enc = zero,
                         .W_dec = W,
                         .b_dec = zero};
    sae_model *model;
    sae_decoder_cosines out;
    memset(&out, 0, sizeof out);
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_decoder_cosines(&out, NULL, model, NULL, NULL, NULL), SAE_OK);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    free(W);
    free(zero);
    return out;
}

START_TEST(twins_are_found_across_blocks)
{
    sae_decoder_cosines all = cosines_of_twins(1, false), threads = cosines_of_twins(3, false);
    ck_assert_uint_eq(all.latents, TWINS);
    ck_assert(all.mean == 1 && all.median == 1 && all.most == 1);
    ck_assert_uint_eq(all.bins[SAE_COSINE_BINS - 1], TWINS);
    ck_assert_mem_eq(&all, &threads, sizeof all);
    /* The twin of a row without a direction has only orthogonal rows around it. */
    sae_decoder_cosines bereft = cosines_of_twins(2, true);
    ck_assert_uint_eq(bereft.latents, TWINS - 1);
    ck_assert_uint_eq(bereft.bins[0], 1);
    ck_assert_uint_eq(bereft.bins[SAE_COSINE_BINS - 1], TWINS - 2);
}
END_TEST

/* The one other row points away: its cosine, below 0, must not lose to that of a row of length 0. */
START_TEST(rows_of_length_zero_are_nobodys_neighbour)
{
    const float W[3] = {2, 0, -1}, zero[3] = {0};
    const sae_params params = {
        .d = 1, .n_latents = 3, .activation = SAE_RELU, .W_enc = W, .b_enc = zero, .W_dec = W, .b_dec = zero};
    sae_context *context = toy_context(1);
    sae_model *model;
    sae_decoder_cosines got;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_decoder_cosines(&got, NULL, model, NULL, NULL, NULL), SAE_OK);
    ck_assert(got.latents == 2 && got.mean == -1 && got.most == -1 && got.bins[0] == 2);
    sae_model_free(model);
    model = toy_identity(context, 1, 1);
    ck_assert_int_eq(sae_model_decoder_cosines(&got, NULL, model, NULL, NULL, NULL), SAE_OK);
    ck_assert(got.latents == 1 && isnan(got.mean));
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

static int stop(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return 1;
}

START_TEST(stops_when_asked)
{
    const float x[4] = {1, 2, 3, 4};
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 2, 1);
    sae_dump *dump = toy_dump(context, x, 2, 2, NULL);
    sae_evaluation got;
    sae_decoder_cosines cosines;
    ck_assert_int_eq(sae_model_evaluate_all(&got, NULL, model, dump, stop, NULL, NULL), SAE_STOPPED);
    ck_assert_int_eq(sae_model_decoder_cosines(&cosines, NULL, model, stop, NULL, NULL), SAE_STOPPED);
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evaluate");
    TCase *tests = tcase_create("evaluate");
    tcase_add_test(tests, variants_are_those_of_numpy);
    tcase_add_test(tests, fires_are_counted_and_nothing_depends_on_threads);
    tcase_add_test(tests, a_constant_error_costs_nothing_in_dictionary_learning);
    tcase_add_test(tests, rows_that_do_not_vary);
    tcase_add_test(tests, densities_fall_on_the_upper_side_of_their_edges);
    tcase_add_test(tests, decoder_cosines_are_those_of_numpy);
    tcase_add_test(tests, twins_are_found_across_blocks);
    tcase_add_test(tests, rows_of_length_zero_are_nobodys_neighbour);
    tcase_add_test(tests, stops_when_asked);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
