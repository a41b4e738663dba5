/* What a run begins with: directions and their lengths, biases of the encoder. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "num/rows.h"
#include "train/parameters.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 12, LATENTS = 4000 };

static const double length = 0.1;

static saei_parameters drawn(sae_directions_init directions, double bias)
{
    saei_parameters p;
    ck_assert_int_eq(saei_parameters_new(&p, context, WIDTH, LATENTS, 1, NULL), SAE_OK);
    saei_parameters_init(&p, 3, directions, length, bias);
    return p;
}

START_TEST(rows_are_tied_and_of_the_given_length)
{
    saei_parameters p = drawn((sae_directions_init)_i, 0.0);
    for (size_t j = 0; j < LATENTS; j++) {
        const float *enc = p.W_enc + j * WIDTH, *dec = p.W_dec + j * WIDTH;
        double cosine = (double)saei_row_dot(enc, dec, WIDTH) / (length * length);
        ck_assert(fabs(sqrt(saei_row_norm2(enc, WIDTH)) - length) <= 1e-7);
        ck_assert(fabs(sqrt(saei_row_norm2(dec, WIDTH)) - length) <= 1e-7);
        ck_assert(fabs(cosine - 1.0) <= 1e-5);
        ck_assert(p.b_enc[j] == 0.0f && !signbit(p.b_enc[j]) && p.extra[0][j] == 0.0f);
    }
    saei_parameters_free(&p, context);
}
END_TEST

/* Mean and variance of a uniform distribution, 0 and a²/3, within five of their standard errors, which are
   a/√(3 n) and a² √(4/45) / √n. */
START_TEST(biases_are_uniform)
{
    const double a = 0.25, n = LATENTS;
    saei_parameters p = drawn(SAE_DIRECTIONS_NORMAL, a), unbiased = drawn(SAE_DIRECTIONS_NORMAL, 0.0);
    double sum = 0.0, squares = 0.0;
    for (size_t j = 0; j < LATENTS; j++) {
        double b = (double)p.b_enc[j];
        ck_assert(fabs(b) <= a);
        sum += b;
        squares += b * b;
    }
    ck_assert(fabs(sum / n) <= 5.0 * a / sqrt(3.0 * n));
    ck_assert(fabs(squares / n - a * a / 3.0) <= 5.0 * a * a * sqrt(4.0 / 45.0 / n));
    ck_assert_int_eq(memcmp(p.W_enc, unbiased.W_enc, 2 * WIDTH * LATENTS * sizeof(float)), 0);
    saei_parameters_free(&p, context);
    saei_parameters_free(&unbiased, context);
}
END_TEST

/* Of a row of length 1 the mean of Σ x⁴ is 3 / (d + 2) for normal components, less for uniform ones; here the
   mean over rows, within five of its standard errors by the rows' own spread. For uniform components d⁻¹
   E[u⁴] / E[u²]² = 9 / (5 d) is the limit for many dimensions. */
START_TEST(directions_are_as_asked)
{
    double mean[2];
    for (int kind = 0; kind < 2; kind++) {
        saei_parameters p = drawn((sae_directions_init)kind, 0.0);
        double sum = 0.0, squares = 0.0;
        for (size_t j = 0; j < LATENTS; j++) {
            double fourth = 0.0;
            for (size_t i = 0; i < WIDTH; i++)
                fourth += pow((double)p.W_enc[j * WIDTH + i] / length, 4.0);
            sum += fourth;
            squares += fourth * fourth;
        }
        mean[kind] = sum / LATENTS;
        double error = sqrt((squares / LATENTS - mean[kind] * mean[kind]) / LATENTS);
        if (kind == SAE_DIRECTIONS_NORMAL)
            ck_assert(fabs(mean[kind] - 3.0 / (WIDTH + 2)) <= 5.0 * error);
        saei_parameters_free(&p, context);
    }
    ck_assert(fabs(mean[1] - 9.0 / (5.0 * WIDTH)) <= 0.1 * mean[1] && mean[1] < 0.85 * mean[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("initial weights");
    TCase *tests = tcase_create("initial weights");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, rows_are_tied_and_of_the_given_length, 0, 2);
    tcase_add_test(tests, directions_are_as_asked);
    tcase_add_test(tests, biases_are_uniform);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
