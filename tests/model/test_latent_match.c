#include "model/nearest_latent.h"
#include "base/rng.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 40, F = 700, G = 530 }; /* several blocks, the last one short */

static sae_model *model_of(sae_context *owner, const float *decoder, size_t n_latents, size_t d)
{
    float *zero = calloc(n_latents * d, sizeof *zero);
    ck_assert_ptr_nonnull(zero);
    sae_params params = {.d = d,
                         .n_latents = n_latents,
                         .activation = SAE_RELU,
                         .W_enc = zero,
                         .b_enc = zero,
                         .W_dec = decoder,
                         .b_dec = zero};
    sae_model *model;
    ck_assert_msg(sae_model_new(&model, owner, &params, &err) == SAE_OK, "%s", err.text);
    free(zero);
    return model;
}

static void draw(float *out, size_t n, uint64_t seed)
{
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)saei_rng_normal(&rng);
}

/* cos of two rows, in double. */
static double cosine_of(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < D; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : -(double)INFINITY;
}

static uint32_t nearest_by_loop(double *cosine, const float *direction, const float *decoder, size_t n)
{
    uint32_t best = 0;
    *cosine = -(double)INFINITY;
    for (size_t j = 0; j < n; j++) {
        double x = cosine_of(direction, decoder + j * D);
        if (x > *cosine) {
            *cosine = x;
            best = (uint32_t)j;
        }
    }
    return best;
}

START_TEST(matches_are_those_of_a_loop)
{
    static float a[F * D], b[G * D];
    draw(a, F * D, 1);
    draw(b, G * D, 2);
    for (size_t j = 0; j < 60; j++) /* shared features, in another order and size, with noise */
        for (size_t i = 0; i < D; i++)
            b[(j * 7 % G) * D + i] = 3 * a[(j * 11 % F) * D + i] + 0.05f * (float)j * b[(j * 7 % G) * D + i];
    sae_model *model = model_of(context, a, F, D), *other = model_of(context, b, G, D);
    uint32_t latents[F];
    sae_match match[F];
    size_t n_mutual = 0;
    for (uint32_t j = 0; j < F; j++)
        latents[j] = j;
    ck_assert_int_eq(sae_model_match(match, model, latents, F, other, NULL, NULL, &err), SAE_OK);
    for (uint32_t j = 0; j < F; j++) {
        double cosine, back;
        uint32_t expected = nearest_by_loop(&cosine, a + j * D, b, G);
        ck_assert_uint_eq(match[j].latent, expected);
        ck_assert(fabs(match[j].cosine - cosine) <= 1e-6);
        ck_assert_int_eq(match[j].mutual, nearest_by_loop(&back, b + expected * D, a, F) == j);
        n_mutual += match[j].mutual;
    }
    ck_assert_uint_ge(n_mutual, 60);
    ck_assert_uint_lt(n_mutual, F);
    sae_model_free(other);
    sae_model_free(model);
}
END_TEST

START_TEST(the_thread_count_does_not_show)
{
    static float a[F * D], b[G * D];
    draw(a, F * D, 3);
    draw(b, G * D, 4);
    saei_nearest found[2][F];
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        sae_context_options options;
        sae_context_options_init(&options);
        options.threads = threads;
        sae_context *owner;
        ck_assert_int_eq(sae_context_new(&owner, &options, &err), SAE_OK);
        sae_model *other = model_of(owner, b, G, D);
        ck_assert_int_eq(saei_nearest_latents(found[threads > 1], other, a, F, "", NULL, NULL, &err), SAE_OK);
        sae_model_free(other);
        sae_context_free(owner);
    }
    ck_assert_mem_eq(found[0], found[1], sizeof found[0]);
}
END_TEST

START_TEST(equal_rows_match_the_lowest_and_zero_rows_none)
{
    float a[3 * D] = {0}, b[300 * D] = {0};
    a[0] = 2;
    a[D + 1] = -1;
    for (size_t j = 5; j < 300; j++)
        b[j * D] = (float)j; /* all along the first axis; 0 … 4 have no length */
    sae_model *model = model_of(context, a, 3, D), *other = model_of(context, b, 300, D),
              *empty = model_of(context, (float[2 * D]){0}, 2, D);
    sae_match match[3];
    ck_assert_int_eq(sae_model_match(match, model, (uint32_t[]){0, 1, 2}, 3, other, NULL, NULL, &err),
                     SAE_OK);
    ck_assert_uint_eq(match[0].latent, 5);
    ck_assert_double_eq(match[0].cosine, 1);
    ck_assert(match[0].mutual);
    ck_assert_double_eq(match[1].cosine, 0);
    ck_assert(!match[1].mutual);
    ck_assert(isnan(match[2].cosine) && !match[2].mutual);
    ck_assert_int_eq(sae_model_match(match, model, (uint32_t[]){0}, 1, empty, NULL, NULL, &err), SAE_OK);
    ck_assert(isnan(match[0].cosine) && !match[0].mutual);
    sae_model_free(empty);
    sae_model_free(other);
    sae_model_free(model);
}
END_TEST

/* The density of a cosine with a random direction is proportional to (1 − c²)^((D − 3) / 2); its tail from c
   on, by the rule of Simpson. */
static double tail(double c)
{
    enum { STEPS = 2000 };
    double part[2] = {0, 0}, from[2] = {c, -1};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i <= STEPS; i++) {
            double x = from[k] + (1 - from[k]) * i / STEPS, weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
            part[k] += weight * pow(fmax(0, 1 - x * x), (D - 3) / 2.0) * (1 - from[k]);
        }
    return part[0] / part[1];
}

/* The largest of G independent cosines is below c with probability (1 − tail)^G. 2048 draws: the share of
   them below the quantile q has a standard deviation of sqrt(q (1 − q) / 2048). */
START_TEST(the_null_of_isotropic_decoders_is_known)
{
    static float a[F * D], b[G * D];
    draw(a, F * D, 5);
    draw(b, G * D, 6);
    sae_model *model = model_of(context, a, F, D), *other = model_of(context, b, G, D);
    const double q[] = {0.25, 0.5, 0.9, 0.99};
    for (size_t i = 0; i < 4; i++) {
        double cosine;
        ck_assert_int_eq(sae_model_match_null(&cosine, model, other, q[i], 0, NULL, NULL, &err), SAE_OK);
        double below = pow(1 - tail(cosine), G);
        ck_assert_msg(fabs(below - q[i]) <= 0.005 + 4 * sqrt(q[i] * (1 - q[i]) / 2048), "%g: %g at %g", q[i],
                      below, cosine);
    }
    sae_model_free(other);
    sae_model_free(model);
}
END_TEST

/* Decoders in one plane: a random direction of the decoder's own kind is always close to a latent. */
START_TEST(the_null_knows_preferred_directions)
{
    float a[200 * D] = {0};
    saei_rng rng = saei_rng_new(7, SAEI_STREAM_INIT, 0);
    for (size_t j = 0; j < 200; j++)
        for (size_t i = 0; i < 2; i++)
            a[j * D + i] = (float)saei_rng_normal(&rng);
    sae_model *model = model_of(context, a, 200, D);
    double cosine;
    ck_assert_int_eq(sae_model_match_null(&cosine, model, model, 0.05, 0, NULL, NULL, &err), SAE_OK);
    ck_assert_double_gt(cosine, 0.99);
    sae_model_free(model);
}
END_TEST

static int stop(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)user, (void)stage, (void)done, (void)total;
    return 1;
}

START_TEST(wrong_arguments_are_refused)
{
    float a[4] = {1, 2, 3, 4};
    sae_model *model = model_of(context, a, 2, 2), *wider = model_of(context, a, 1, 4);
    sae_match match;
    double cosine;
    ck_assert_int_eq(sae_model_match(&match, model, (uint32_t[]){0}, 1, wider, NULL, NULL, &err),
                     SAE_E_MISMATCH);
    ck_assert_int_eq(sae_model_match(&match, model, (uint32_t[]){2}, 1, model, NULL, NULL, &err),
                     SAE_E_NOT_FOUND);
    ck_assert_int_eq(sae_model_match(&match, model, (uint32_t[]){0}, 1, model, stop, NULL, &err),
                     SAE_STOPPED);
    ck_assert_int_eq(sae_model_match_null(&cosine, model, wider, 0.5, 0, NULL, NULL, &err), SAE_E_MISMATCH);
    ck_assert_int_eq(sae_model_match_null(&cosine, model, model, (double)NAN, 0, NULL, NULL, &err),
                     SAE_E_ARGUMENT);
    ck_assert(isnan(cosine));
    sae_model_free(wider);
    sae_model_free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("latent_match");
    TCase *tests = tcase_create("latent_match");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, matches_are_those_of_a_loop);
    tcase_add_test(tests, the_thread_count_does_not_show);
    tcase_add_test(tests, equal_rows_match_the_lowest_and_zero_rows_none);
    tcase_add_test(tests, the_null_of_isotropic_decoders_is_known);
    tcase_add_test(tests, the_null_knows_preferred_directions);
    tcase_add_test(tests, wrong_arguments_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
