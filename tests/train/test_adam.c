/* The optimiser against its formula in double, and the schedule against numbers worked out by hand. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "train/adam.h"
#include "train/choices.h"

#include <math.h>

enum { D = 7, F = 70, COUNT = 2 * F * D + F + D, STEPS = 5 };

static void fill(float *values, size_t n, uint64_t stream)
{
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_INIT, stream);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)saei_rng_normal(&rng);
}

/* Kingma & Ba 2015, algorithm 1, on the scaled gradient; then decoder rows [F, d] are brought to unit length.
 */
static void reference_step(double *p, double *m, double *v, const float *g, int t, double rate, double scale)
{
    for (size_t i = 0; i < COUNT; i++) {
        double gradient = scale * (double)g[i];
        m[i] = 0.9 * m[i] + 0.1 * gradient;
        v[i] = 0.999 * v[i] + 0.001 * gradient * gradient;
        p[i] -= rate * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
    }
    for (size_t j = 0; j < F; j++) {
        double *row = p + F * D + j * D, norm2 = 0;
        for (size_t i = 0; i < D; i++)
            norm2 += row[i] * row[i];
        for (size_t i = 0; i < D; i++)
            row[i] /= sqrt(norm2);
    }
}

START_TEST(steps_follow_the_formula)
{
    saei_parameters p, g;
    saei_adam adam;
    double expected[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
    ck_assert_int_eq(saei_parameters_new(&p, context, D, F, NULL), SAE_OK);
    ck_assert_int_eq(saei_parameters_new(&g, context, D, F, NULL), SAE_OK);
    ck_assert_int_eq(saei_adam_new(&adam, context, D, F, 0.9, 0.999, 1e-8, NULL), SAE_OK);
    fill(p.all, COUNT, 0);
    for (size_t i = 0; i < COUNT; i++)
        expected[i] = (double)p.all[i];
    for (int t = 1; t <= STEPS; t++) {
        fill(g.all, COUNT, (uint64_t)t);
        saei_adam_step(&p, &adam, &g, (uint64_t)t, 0.01 * t, 0.5, context);
        reference_step(expected, m, v, g.all, t, 0.01 * t, 0.5);
    }
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_msg(fabs((double)p.all[i] - expected[i]) <= 2e-6, "parameter %zu: %.9g, expected %.9g", i,
                      (double)p.all[i], expected[i]);
    saei_adam_free(&adam, context);
    saei_parameters_free(&g, context);
    saei_parameters_free(&p, context);
}
END_TEST

START_TEST(schedule_rises_holds_and_falls)
{
    /* Ten steps: two of warm-up, full rate up to step 5, then down to 0 in five. */
    const double expected[] = {0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2};
    sae_train_options options;
    sae_train_options_init(&options);
    options.steps = 10;
    options.learning_rate = 0.1;
    options.warmup = 0.2;
    options.decay_start = 0.5;
    for (uint64_t t = 0; t < 10; t++)
        ck_assert(fabs(saei_learning_rate(&options, t) - 0.1 * expected[t]) <= 1e-15);
}
END_TEST

START_TEST(choices_fit_the_data)
{
    sae_train_options options;
    sae_train_options_init(&options);
    ck_assert_int_eq(saei_train_options_choose(&options, 128, 100000, NULL), SAE_OK);
    ck_assert_uint_eq(options.n_latents, 2048);
    ck_assert_uint_eq(options.k, 16);
    ck_assert_uint_eq(options.batch_rows, 512);
    ck_assert_uint_eq(options.steps, 8000);
    /* Few rows: fewer latents, no batch larger than the dump. */
    sae_train_options_init(&options);
    ck_assert_int_eq(saei_train_options_choose(&options, 128, 300, NULL), SAE_OK);
    ck_assert_uint_eq(options.n_latents, 16);
    ck_assert_uint_eq(options.batch_rows, 300);
    /* Many rows: one pass. */
    sae_train_options_init(&options);
    ck_assert_int_eq(saei_train_options_choose(&options, 128, 20480000, NULL), SAE_OK);
    ck_assert_uint_eq(options.steps, 40000);
    sae_train_options_init(&options);
    ck_assert_int_eq(saei_train_options_choose(&options, 768, 1000000, NULL), SAE_OK);
    ck_assert_uint_eq(options.n_latents, 16384);
    ck_assert_uint_eq(options.k, 32);
    ck_assert_uint_eq(options.batch_rows, 2048);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adam");
    TCase *tests = tcase_create("adam");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, steps_follow_the_formula);
    tcase_add_test(tests, schedule_rises_holds_and_falls);
    tcase_add_test(tests, choices_fit_the_data);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
