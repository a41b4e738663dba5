/* The optimiser against its formula in double. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "train/adam.h"

#include <math.h>
#include <string.h>

enum { D = 7, F = 70, EXTRAS = 2, COUNT = (2 * D + 1 + EXTRAS) * F + D, STEPS = 5 };

static void fill(float *values, size_t n, uint64_t stream)
{
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_INIT, stream);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)saei_rng_normal(&rng);
}

typedef struct reference {
    double p[COUNT], m[COUNT], v[COUNT];
} reference;

/* Kingma & Ba 2015, algorithm 1, on the scaled gradient. */
static void reference_step(reference *r, const float *g, int t, double rate, double scale)
{
    for (size_t i = 0; i < COUNT; i++) {
        double gradient = scale * (double)g[i];
        r->m[i] = 0.9 * r->m[i] + 0.1 * gradient;
        r->v[i] = 0.999 * r->v[i] + 0.001 * gradient * gradient;
        r->p[i] -= rate * (r->m[i] / (1 - pow(0.9, t))) / (sqrt(r->v[i] / (1 - pow(0.999, t))) + 1e-8);
    }
}

static void reference_unit_rows(reference *r)
{
    for (size_t j = 0; j < F; j++) {
        double *row = r->p + F * D + j * D, norm2 = 0;
        for (size_t i = 0; i < D; i++)
            norm2 += row[i] * row[i];
        for (size_t i = 0; i < D; i++)
            row[i] /= sqrt(norm2);
    }
}

/* One step as the sweep makes it, latent after latent, here from the last to the first. */
static void step_by_latents(saei_adam_step *step, const saei_parameters *g)
{
    saei_gradient_receiver receiver = saei_adam_receiver(step);
    for (size_t j = F; j-- > 0;) {
        float rows[2 * D];
        memcpy(rows, g->W_enc + j * D, D * sizeof *rows);
        memcpy(rows + D, g->W_dec + j * D, D * sizeof *rows);
        saei_latent_gradient gradient = {.latent = j, .W_enc = rows, .W_dec = rows + D, .b_enc = g->b_enc[j]};
        for (size_t e = 0; e < EXTRAS; e++)
            gradient.extra[e] = g->extra[e][j];
        receiver.receive(receiver.arg, &gradient);
    }
    saei_adam_update_b_dec(step, g->b_dec);
}

static void assert_steps(bool unit_rows)
{
    saei_parameters p, g;
    saei_adam adam;
    reference *expected = calloc(1, sizeof *expected);
    ck_assert_ptr_nonnull(expected);
    ck_assert_int_eq(saei_parameters_new(&p, context, D, F, EXTRAS, NULL), SAE_OK);
    ck_assert_int_eq(saei_parameters_new(&g, context, D, F, EXTRAS, NULL), SAE_OK);
    ck_assert_uint_eq(p.count, COUNT);
    ck_assert_int_eq(saei_adam_new(&adam, context, &p, 0.9, 0.999, 1e-8, unit_rows, NULL), SAE_OK);
    fill(p.all, COUNT, 0);
    for (size_t i = 0; i < COUNT; i++)
        expected->p[i] = (double)p.all[i];
    for (int t = 1; t <= STEPS; t++) {
        fill(g.all, COUNT, (uint64_t)t);
        saei_adam_step step = saei_adam_begin(&p, &adam, (uint64_t)t, 0.01 * t, 0.5);
        step_by_latents(&step, &g);
        reference_step(expected, g.all, t, 0.01 * t, 0.5);
        if (unit_rows)
            reference_unit_rows(expected);
    }
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_msg(fabs((double)p.all[i] - expected->p[i]) <= 2e-6, "parameter %zu: %.9g, expected %.9g",
                      i, (double)p.all[i], expected->p[i]);
    saei_adam_free(&adam, context);
    saei_parameters_free(&g, context);
    saei_parameters_free(&p, context);
    free(expected);
}

START_TEST(steps_follow_the_formula)
{
    assert_steps(false);
}
END_TEST

START_TEST(decoder_rows_come_back_to_unit_length)
{
    assert_steps(true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adam");
    TCase *tests = tcase_create("adam");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, steps_follow_the_formula);
    tcase_add_test(tests, decoder_rows_come_back_to_unit_length);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
