/* The cases of peer_cases.h that the encoder, models and fidelity answer alone. */
#include "../tools/run_suite.h"
#include "../tools/toy.h"
#include "base/memory.h"
#include "num/blas.h"
#include "num/encoder.h"
#include "peer_cases.h"
#include "sae/apply.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static sae_context *shared;

static void shared_make(void)
{
    shared = toy_context(1);
}

static void shared_end(void)
{
    ck_assert_uint_eq(sae_context_memory_used(shared), 0);
    sae_context_free(shared);
}

static void assert_near(const float *got, const float *expected, size_t n, float tolerance)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(got[i] - expected[i]) <= tolerance, "[%zu]: %.9g, expected %.9g", i,
                      (double)got[i], (double)expected[i]);
}

/* Dense codes f [rows, F] of centred rows xc. All cases have d = 1 or equal weights, so that W_enc reads the
   same as [d, F] and as [F, d]. */
static void encode(float *f, const saei_encoder *encoder, const float *xc, size_t rows)
{
    size_t k = encoder->k;
    saei_code_slots slots;
    float *scratch = malloc(saei_encoder_scratch(encoder->d, encoder->n_latents, k, false) * sizeof *scratch);
    ck_assert_ptr_nonnull(scratch);
    ck_assert_int_eq(saei_code_slots_new(&slots, shared, rows, k, NULL), SAE_OK);
    saei_blas_begin();
    saei_encode_tile(slots, encoder, xc, 0, rows, scratch);
    memset(f, 0, rows * encoder->n_latents * sizeof *f);
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < slots.count[row]; i++)
            f[row * encoder->n_latents + slots.latent[row * k + i]] = slots.value[row * k + i];
    saei_code_slots_free(&slots, shared);
    free(scratch);
}

/* BatchTopK is TopK of the batch laid out as one row: with d = 1 and x = 1 the weights are the
 * pre-activations.
 */
static void assert_batchtopk(double k, const float *expected)
{
    const float one = 1.0f, zero[8] = {0};
    float f[8];
    saei_encoder encoder = {.d = 1, .n_latents = 8, .W_enc = batchtopk_pre, .b_enc = zero};
    encoder.k = (size_t)(k * BATCHTOPK_ROWS);
    encode(f, &encoder, &one, 1);
    assert_near(f, expected, 8, 0.0f);
}

START_TEST(batchtopk_keeps_the_largest_of_the_batch)
{
    assert_batchtopk(batchtopk_k, batchtopk_codes);
}
END_TEST

START_TEST(batchtopk_never_keeps_a_negative)
{
    assert_batchtopk(batchtopk_large_k, batchtopk_large_codes);
}
END_TEST

START_TEST(jumprelu_passes_what_is_above_its_threshold)
{
    const float ones[JUMPRELU_LATENTS * JUMPRELU_D] = {1, 1, 1, 1, 1, 1}, zero[JUMPRELU_LATENTS] = {0};
    float f[JUMPRELU_LATENTS], xhat[JUMPRELU_D] = {0};
    saei_encoder encoder = {.d = JUMPRELU_D, .n_latents = JUMPRELU_LATENTS, .k = JUMPRELU_LATENTS};
    encoder.W_enc = ones;
    encoder.b_enc = zero;
    encoder.floor = jumprelu_threshold;
    encode(f, &encoder, jumprelu_x, 1);
    assert_near(f, jumprelu_codes, JUMPRELU_LATENTS, 1e-6f);
    const uint32_t latent[JUMPRELU_LATENTS] = {0, 1, 2};
    saei_decode_row(xhat, ones, JUMPRELU_D, latent, f, JUMPRELU_LATENTS);
    assert_near(xhat, jumprelu_xhat, JUMPRELU_D, 1e-6f);
}
END_TEST

/* One model before or after folding. */
typedef struct fold_model {
    const float *W_enc, *b_enc, *W_dec, *threshold;
    float b_dec, scale;
    const float *codes, *xhat;
} fold_model;

static void assert_fold_model(const fold_model *m)
{
    float xc[FOLD_ROWS], f[FOLD_ROWS * FOLD_LATENTS], xhat[FOLD_ROWS];
    for (size_t row = 0; row < FOLD_ROWS; row++)
        xc[row] = m->scale * fold_x[row] - m->b_dec;
    saei_encoder encoder = {.d = 1, .n_latents = FOLD_LATENTS, .k = FOLD_LATENTS, .W_enc = m->W_enc};
    encoder.b_enc = m->b_enc;
    encoder.floor = m->threshold;
    encode(f, &encoder, xc, FOLD_ROWS);
    assert_near(f, m->codes, FOLD_ROWS * FOLD_LATENTS, 0.0f);
    if (m->xhat == NULL)
        return;
    for (size_t row = 0; row < FOLD_ROWS; row++)
        xhat[row] = m->b_dec + f[row * 2] * m->W_dec[0] + f[row * 2 + 1] * m->W_dec[1];
    assert_near(xhat, m->xhat, FOLD_ROWS, 0.0f);
}

START_TEST(folding_keeps_the_function)
{
    fold_model model = {fold_W_enc, fold_b_enc,        fold_W_dec, NULL,
                        fold_b_dec, (float)fold_scale, fold_codes, fold_xhat};
    fold_model folded = {folded_W_enc, folded_b_enc, folded_W_dec, NULL,
                         folded_b_dec, 1.0f,         folded_codes, folded_xhat};
    assert_fold_model(&model);
    assert_fold_model(&folded);
}
END_TEST

START_TEST(folding_scales_thresholds)
{
    fold_model model = {fold_W_enc, fold_b_enc,        fold_W_dec,      fold_threshold,
                        fold_b_dec, (float)fold_scale, fold_jump_codes, NULL};
    fold_model folded = {folded_W_enc, folded_b_enc, folded_W_dec,      folded_threshold,
                         folded_b_dec, 1.0f,         folded_jump_codes, NULL};
    assert_fold_model(&model);
    assert_fold_model(&folded);
}
END_TEST

START_TEST(identity_loses_the_negative_part)
{
    sae_model *model = toy_identity(shared, 2, 2);
    sae_codes *codes;
    float xhat[2];
    sae_view rows = {.data = identity_x, .rows = 1, .cols = 2, .stride = 2};
    ck_assert_int_eq(sae_codes_new(&codes, shared, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, rows, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    ck_assert_uint_eq(view.row_ptr[1], 1);
    ck_assert_uint_eq(view.latent[0], 0);
    assert_near(view.value, identity_xhat, 1, 0.0f);
    ck_assert_int_eq(sae_model_decode(xhat, model, view, NULL), SAE_OK);
    assert_near(xhat, identity_xhat, 2, 0.0f);
    sae_codes_free(codes);
    sae_model_free(model);
}
END_TEST

/* A trainer of a model with two latents on rows of one number, s = 1/2, with the weights of the folding case.
 */
static sae_trainer *fold_trainer(const sae_dump *dump, sae_architecture architecture)
{
    sae_train_options options;
    sae_trainer *t;
    sae_error err;
    sae_train_options_init(&options);
    options.architecture = architecture;
    options.n_latents = FOLD_LATENTS;
    options.k = 1;
    options.heldout = 0.0;
    options.free_decoder = true;
    ck_assert_msg(sae_trainer_new(&t, dump, NULL, &options, &err) == SAE_OK, "%s", err.text);
    t->scale = fold_scale;
    memcpy(t->parameters.W_enc, fold_W_enc, sizeof fold_W_enc);
    memcpy(t->parameters.b_enc, fold_b_enc, sizeof fold_b_enc);
    memcpy(t->parameters.W_dec, fold_W_dec, sizeof fold_W_dec);
    t->parameters.b_dec[0] = fold_b_dec;
    if (architecture == SAE_ARCH_JUMPRELU)
        memcpy(t->parameters.extra[0], fold_threshold, sizeof fold_threshold);
    if (architecture == SAE_ARCH_GATED) {
        memcpy(t->parameters.extra[0], gated_r_mag, sizeof gated_r_mag);
        memcpy(t->parameters.extra[1], gated_b_mag, sizeof gated_b_mag);
    }
    return t;
}

/* codes and xhat are those of the scaled rows: the model's are both divided by the scale. xhat NULL: codes
 * alone. */
static void assert_folded(sae_architecture architecture, const float *expected_codes,
                          const float *expected_xhat)
{
    sae_dump *dump = toy_dump(shared, fold_x, FOLD_ROWS, 1, NULL);
    sae_trainer *t = fold_trainer(dump, architecture);
    sae_model *model;
    sae_codes *codes;
    float f[FOLD_ROWS * FOLD_LATENTS] = {0}, xhat[FOLD_ROWS];
    ck_assert_int_eq(sae_trainer_model(&model, t, NULL), SAE_OK);
    ck_assert_int_eq(sae_codes_new(&codes, shared, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){fold_x, FOLD_ROWS, 1, 1}, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    for (size_t r = 0; r < FOLD_ROWS; r++)
        for (size_t i = (size_t)view.row_ptr[r]; i < (size_t)view.row_ptr[r + 1]; i++)
            f[r * FOLD_LATENTS + view.latent[i]] = view.value[i] * (float)fold_scale;
    assert_near(f, expected_codes, FOLD_ROWS * FOLD_LATENTS, 1e-6f);
    ck_assert_int_eq(sae_model_decode(xhat, model, view, NULL), SAE_OK);
    if (expected_xhat != NULL)
        assert_near(xhat, expected_xhat, FOLD_ROWS, 1e-5f);
    sae_codes_free(codes);
    sae_model_free(model);
    sae_trainer_free(t);
    sae_dump_free(dump);
}

START_TEST(trained_models_are_folded)
{
    assert_folded(SAE_ARCH_RELU, fold_codes, folded_xhat);
    assert_folded(SAE_ARCH_JUMPRELU, fold_jump_codes, NULL);
    assert_folded(SAE_ARCH_GATED, gated_codes, folded_gated_xhat);
}
END_TEST

START_TEST(input_scales_are_those_of_the_tools)
{
    const struct {
        sae_input_scale kind;
        double expected;
    } scales[] = {{SAE_SCALE_MEAN_NORM, scale_saelens},
                  {SAE_SCALE_RMS_NORM, scale_dictionary_learning},
                  {SAE_SCALE_NONE, 1.0},
                  /* mean ‖x‖² = 26 without ‖mean‖² = 104/25 */
                  {SAE_SCALE_VARIANCE, 0.21398024625545646}};
    sae_dump *dump = toy_dump(shared, scale_x, SCALE_ROWS, SCALE_D, NULL);
    saei_dump_scan_result scan;
    ck_assert_int_eq(saei_dump_scan(&scan, dump, NULL, NULL, NULL), SAE_OK);
    ck_assert(fabs(scan.mean_norm - scale_mean_norm) <= 1e-12 &&
              fabs(scan.mean_square - scale_mean_norm2) <= 1e-12);
    saei_free(shared, scan.mean);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        sae_train_options options;
        sae_trainer *t;
        sae_train_options_init(&options);
        options.heldout = 0.0;
        options.input_scale = scales[i].kind;
        ck_assert_int_eq(sae_trainer_new(&t, dump, NULL, &options, NULL), SAE_OK);
        ck_assert_msg(fabs(t->scale - scales[i].expected) <= 1e-12, "%zu: %.17g", i, t->scale);
        sae_trainer_free(t);
    }
    sae_dump_free(dump);
}
END_TEST

/* The rows of the scale case have the mean (−2, 10) / 5. A model without codes that answers with it explains
   nothing: Σ‖x − x̂‖² is Σ‖x − mean x‖² itself. */
START_TEST(mean_predictor_explains_no_variance)
{
    const float zero[SCALE_D] = {0}, mean[SCALE_D] = {-0.4f, 2.0f}, unit[SCALE_D] = {1.0f, 0.0f},
                never = -1.0f;
    sae_params params = {.d = SCALE_D, .n_latents = 1, .k = 1, .W_enc = zero, .b_enc = &never};
    params.W_dec = unit;
    params.b_dec = mean;
    sae_model *model;
    sae_fidelity fidelity;
    ck_assert_int_eq(sae_model_new(&model, shared, &params, NULL), SAE_OK);
    sae_dump *dump = toy_dump(shared, scale_x, SCALE_ROWS, SCALE_D, NULL);
    ck_assert_int_eq(sae_model_evaluate(&fidelity, model, dump, NULL), SAE_OK);
    ck_assert_msg(fabs(fidelity.explained_variance) <= 1e-12, "%.9g", fidelity.explained_variance);
    ck_assert_msg(fabs(fidelity.fvu - 1.0) <= 1e-12, "%.9g", fidelity.fvu);
    ck_assert(fidelity.l0 == 0.0 && fidelity.dead == 1.0);
    sae_dump_free(dump);
    sae_model_free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer cases");
    TCase *tests = tcase_create("peer cases");
    tcase_add_checked_fixture(tests, shared_make, shared_end);
    tcase_add_test(tests, batchtopk_keeps_the_largest_of_the_batch);
    tcase_add_test(tests, batchtopk_never_keeps_a_negative);
    tcase_add_test(tests, jumprelu_passes_what_is_above_its_threshold);
    tcase_add_test(tests, folding_keeps_the_function);
    tcase_add_test(tests, folding_scales_thresholds);
    tcase_add_test(tests, trained_models_are_folded);
    tcase_add_test(tests, input_scales_are_those_of_the_tools);
    tcase_add_test(tests, identity_loses_the_negative_part);
    tcase_add_test(tests, mean_predictor_explains_no_variance);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
