/* The operations against NumPy, and what they refuse. */
#include "model/row_norm.h"
#include "sae/steer.h"
#include "../tools/fixture.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <math.h>
#include <string.h>

enum { D = 6, LATENTS = 11, K = 3, ROWS = 80, SET = 3 };

static sae_context *context;
static sae_model *model;
static float x[ROWS * D];
static uint32_t latents[SET];
static double weights[SET], strength, mean_norm;

static void read_floats(float *out, const char *name, size_t count)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, count);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)values[i];
    free(values);
}

static double number(const char *name)
{
    size_t n;
    double *values = fixture(FIXTURES, name, &n), value = values[0];
    ck_assert_uint_eq(n, 1);
    free(values);
    return value;
}

static void setup(void)
{
    static float W_enc[LATENTS * D], b_enc[LATENTS], W_dec[LATENTS * D], b_dec[D], indices[SET], shares[SET];
    context = toy_context(2);
    read_floats(x, "x", ROWS * D);
    read_floats(W_enc, "W_enc", LATENTS * D);
    read_floats(b_enc, "b_enc", LATENTS);
    read_floats(W_dec, "W_dec", LATENTS * D);
    read_floats(b_dec, "b_dec", D);
    read_floats(indices, "latents", SET);
    read_floats(shares, "weights", SET);
    for (size_t i = 0; i < SET; i++) {
        latents[i] = (uint32_t)indices[i];
        weights[i] = (double)shares[i];
    }
    strength = number("strength");
    mean_norm = number("mean_norm");
    sae_params params = {
        .d = D, .n_latents = LATENTS, .k = K, .W_enc = W_enc, .b_enc = b_enc, .W_dec = W_dec, .b_dec = b_dec};
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
}

static void teardown(void)
{
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

static sae_steer_options options_for(sae_steer_op op)
{
    sae_steer_options options;
    sae_steer_options_init(&options);
    options.op = op;
    options.latents = latents;
    options.weights = weights;
    options.n_latents = SET;
    options.strength = strength;
    return options;
}

static void steer(float *rows, size_t n, const sae_steer_options *options)
{
    sae_steering *steering;
    ck_assert_int_eq(sae_steering_new(&steering, model, options, NULL), SAE_OK);
    ck_assert_int_eq(sae_steering_apply(steering, rows, n, NULL), SAE_OK);
    sae_steering_free(steering);
}

static void compare(const char *name, const sae_steer_options *options)
{
    static float rows[ROWS * D];
    size_t n;
    double *wanted = fixture(FIXTURES, name, &n);
    ck_assert_uint_eq(n, ROWS * D);
    memcpy(rows, x, sizeof rows);
    steer(rows, ROWS, options);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)rows[i] - wanted[i]) <= 1e-6 * (1 + fabs(wanted[i])),
                      "%s %zu: %.9g, wanted %.9g", name, i, (double)rows[i], wanted[i]);
    free(wanted);
}

START_TEST(operations_are_those_of_numpy)
{
    sae_steer_options in_norms = options_for(SAE_STEER_ADD), raw = in_norms;
    in_norms.mean_norm = mean_norm;
    compare("add_norm", &in_norms);
    compare("add_raw", &raw);
    for (sae_steer_op op = SAE_STEER_CLAMP; op <= SAE_STEER_PROJECT_OUT; op++) {
        sae_steer_options options = options_for(op);
        compare(sae_steer_op_name(op), &options);
    }
}
END_TEST

START_TEST(a_row_does_not_depend_on_the_others)
{
    for (sae_steer_op op = SAE_STEER_ADD; op <= SAE_STEER_PROJECT_OUT; op++) {
        sae_steer_options options = options_for(op);
        static float all[ROWS * D], one[D];
        memcpy(all, x, sizeof all);
        memcpy(one, x + 37 * D, sizeof one);
        steer(all, ROWS, &options);
        steer(one, 1, &options);
        ck_assert_mem_eq(one, all + 37 * D, sizeof one);
    }
}
END_TEST

START_TEST(a_set_that_depends_on_itself_is_projected_out_once)
{
    sae_steer_options options = options_for(SAE_STEER_PROJECT_OUT);
    uint32_t every[LATENTS];
    for (uint32_t j = 0; j < LATENTS; j++)
        every[j] = j;
    options.latents = every;
    options.weights = NULL;
    options.n_latents = LATENTS;
    float rows[D] = {1, -2, 3, 0.5f, 8, 1};
    steer(rows, 1, &options);
    for (size_t i = 0; i < D; i++)
        ck_assert(fabsf(rows[i]) <= 1e-5f);
}
END_TEST

START_TEST(scale_is_that_of_numpy)
{
    sae_dump *dump = toy_dump(context, x, ROWS, D, NULL);
    sae_steer_options options = options_for(SAE_STEER_ADD);
    sae_steer_scale scale;
    ck_assert_int_eq(sae_steer_measure(&scale, model, dump, &options, NULL, NULL, NULL), SAE_OK);
    ck_assert_uint_eq(scale.rows, ROWS);
    ck_assert_uint_eq(scale.active_rows, (uint64_t)number("active_rows"));
    assert_close(scale.mean_norm, mean_norm, 1e-6, "mean norm");
    assert_close(scale.typical, number("typical"), 1e-6, "typical");
    assert_close(scale.largest, number("largest"), 1e-6, "largest");
    sae_dump_free(dump);
}
END_TEST

/* The same parameters; model of the test becomes the one that normalises rows. */
static sae_model *normalise_rows(sae_row_norm norm)
{
    sae_model *plain = model;
    sae_params params = sae_model_params(plain);
    params.row_norm = norm;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    return plain;
}

/* What is added to a row by activation is what is added to its normalised row, times its scale; the other
   operations do not ask the model what it makes of a row. */
START_TEST(activations_are_in_units_of_the_scale_of_a_row)
{
    static float z[ROWS * D], z_steered[ROWS * D], raw_steered[ROWS * D], steered[ROWS * D], scale[ROWS];
    sae_row_norm norm = (sae_row_norm)_i;
    for (size_t r = 0; r < ROWS; r++)
        scale[r] = saei_row_normalise(z + r * D, x + r * D, D, norm).scale;
    for (int which = 0; which < 5; which++) {
        sae_steer_options options = options_for(which < 4 ? (sae_steer_op)which : SAE_STEER_ADD);
        options.mean_norm = which == 4 ? mean_norm : 0;
        bool by_activation = which != 4 && which != SAE_STEER_PROJECT_OUT;
        memcpy(z_steered, z, sizeof z);
        memcpy(raw_steered, x, sizeof x);
        memcpy(steered, x, sizeof x);
        steer(z_steered, ROWS, &options);
        steer(raw_steered, ROWS, &options);
        sae_model *plain = normalise_rows(norm);
        steer(steered, ROWS, &options);
        sae_model_free(model);
        model = plain;
        for (size_t i = 0; i < ROWS * D; i++) {
            double want = by_activation
                              ? (double)x[i] + (double)scale[i / D] * ((double)z_steered[i] - (double)z[i])
                              : (double)raw_steered[i];
            ck_assert_msg(fabs((double)steered[i] - want) <= 3e-6 * (1 + fabs(want)), "%d %zu", which, i);
        }
    }
}
END_TEST

/* [1, -1, 0 …] has the deviation √(2/5) and the length √2: an activation of 1 along the first axis. */
START_TEST(a_measured_part_is_in_raw_units)
{
    sae_model *identity = toy_identity(context, D, 1), *norming;
    sae_params params = sae_model_params(identity);
    params.row_norm = SAE_LAYER_NORM;
    ck_assert_int_eq(sae_model_new(&norming, context, &params, NULL), SAE_OK);
    const float rows[2 * D] = {1, -1, 0, 0, 0, 0, 13, 7, 10, 10, 10, 10};
    sae_dump *dump = toy_dump(context, rows, 2, D, NULL);
    sae_steer_options options = options_for(SAE_STEER_ADD);
    const uint32_t first = 0;
    options.latents = &first;
    options.weights = NULL;
    options.n_latents = 1;
    sae_steer_scale scale;
    ck_assert_int_eq(sae_steer_measure(&scale, norming, dump, &options, NULL, NULL, NULL), SAE_OK);
    double m = (sqrt(2) + sqrt(169 + 49 + 400)) / 2;
    assert_close(scale.mean_norm, m, 1e-6, "mean norm");
    assert_close(scale.typical, 2 / m, 1e-4, "typical"); /* but for the constant beside the deviation */
    assert_close(scale.largest, 3 / m, 1e-4, "largest");
    sae_dump_free(dump);
    sae_model_free(norming);
    sae_model_free(identity);
}
END_TEST

static void refuses(const sae_steer_options *options, sae_status wanted, const char *text)
{
    sae_steering *steering;
    sae_error err;
    ck_assert_int_eq(sae_steering_new(&steering, model, options, &err), wanted);
    ck_assert_ptr_null(steering);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

START_TEST(what_cannot_be_steered_is_refused)
{
    sae_steer_options options = options_for(SAE_STEER_ADD), bad = options;
    uint32_t unknown[SET] = {0, 11, 1}, twice[SET] = {3, 5, 3}, alone[1] = {3};
    double opposed[SET] = {0, 0, 0};
    bad.n_latents = 0;
    refuses(&bad, SAE_E_ARGUMENT, "no latent");
    bad = options;
    bad.latents = unknown;
    refuses(&bad, SAE_E_NOT_FOUND, "0 to 10");
    bad.latents = twice;
    refuses(&bad, SAE_E_ARGUMENT, "twice");
    bad = options;
    bad.weights = opposed;
    refuses(&bad, SAE_E_ARGUMENT, "no direction");
    bad = options;
    bad.strength = (double)NAN;
    refuses(&bad, SAE_E_ARGUMENT, "strength");
    bad = options;
    bad.mean_norm = -1;
    refuses(&bad, SAE_E_ARGUMENT, "mean norm");
    bad = options;
    bad.op = (sae_steer_op)4;
    refuses(&bad, SAE_E_ARGUMENT, "operation");
    bad = options;
    bad.latents = alone;
    bad.n_latents = 1;
    bad.weights = (const double[]){(double)INFINITY};
    refuses(&bad, SAE_E_ARGUMENT, "weight");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steering");
    TCase *tests = tcase_create("steering");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, operations_are_those_of_numpy);
    tcase_add_test(tests, a_row_does_not_depend_on_the_others);
    tcase_add_test(tests, a_set_that_depends_on_itself_is_projected_out_once);
    tcase_add_test(tests, scale_is_that_of_numpy);
    tcase_add_loop_test(tests, activations_are_in_units_of_the_scale_of_a_row, SAE_LAYER_NORM,
                        SAE_CONSTANT_NORM + 1);
    tcase_add_test(tests, a_measured_part_is_in_raw_units);
    tcase_add_test(tests, what_cannot_be_steered_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
