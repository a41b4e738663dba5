/* The gradient of the TopK SAE with AuxK against PyTorch and against central differences in double. */
#include "../tools/run_suite.h"
#include "io/safetensors.h"
#include "num/rows.h"
#include "train/topk_sae.h"

#include <math.h>
#include <string.h>

enum { D = 12, F = 40, K = 4, K_AUX = 3, ROWS = 300 };

static const double AUX = 1.0 / 32.0;
static const float SCALE = 0.7f;

typedef struct fixture {
    sae_context *context;
    saei_parameters parameters, gradient;
    saei_topk_sae sae;
    float x[ROWS * D];
    float expected[2 * F * D + F + D]; /* W_enc, W_dec, b_enc, b_dec */
    float losses[2];
    uint64_t silent[F];
} fixture;

static void read_tensor(float *out, const saei_safetensors *file, const char *name, size_t n)
{
    const saei_tensor_info *tensor = saei_safetensors_find(file, name);
    ck_assert_msg(tensor != NULL && tensor->elements == n, "%s", name);
    ck_assert_int_eq(saei_safetensors_read_f32(out, file, tensor, NULL), SAE_OK);
}

static fixture *fixture_new(void)
{
    fixture *f = calloc(1, sizeof *f);
    saei_safetensors *file;
    float dead[5];
    ck_assert_int_eq(sae_context_new(&f->context, NULL, NULL), SAE_OK);
    ck_assert_int_eq(saei_parameters_new(&f->parameters, f->context, D, F, NULL), SAE_OK);
    ck_assert_int_eq(saei_parameters_new(&f->gradient, f->context, D, F, NULL), SAE_OK);
    ck_assert_int_eq(saei_topk_sae_new(&f->sae, f->context, D, F, K, K_AUX, ROWS, AUX, NULL), SAE_OK);
    ck_assert_int_eq(
        saei_safetensors_open(&file, f->context, SOURCE_ROOT "/tests/train/gradient.safetensors", NULL),
        SAE_OK);
    read_tensor(f->x, file, "x", ROWS * D);
    read_tensor(f->parameters.W_enc, file, "W_enc", F * D);
    read_tensor(f->parameters.W_dec, file, "W_dec", F * D);
    read_tensor(f->parameters.b_enc, file, "b_enc", F);
    read_tensor(f->parameters.b_dec, file, "b_dec", D);
    read_tensor(f->expected, file, "g_W_enc", F * D);
    read_tensor(f->expected + F * D, file, "g_W_dec", F * D);
    read_tensor(f->expected + 2 * F * D, file, "g_b_enc", F);
    read_tensor(f->expected + 2 * F * D + F, file, "g_b_dec", D);
    read_tensor(f->losses, file, "losses", 2);
    read_tensor(dead, file, "dead", 5);
    for (int i = 0; i < 5; i++)
        f->silent[(size_t)dead[i]] = 100;
    saei_safetensors_free(file);
    return f;
}

static void fixture_free(fixture *f)
{
    saei_topk_sae_free(&f->sae);
    saei_parameters_free(&f->parameters, f->context);
    saei_parameters_free(&f->gradient, f->context);
    ck_assert_uint_eq(sae_context_memory_used(f->context), 0);
    sae_context_free(f->context);
    free(f);
}

static saei_topk_sae_result compute(fixture *f, uint64_t dead_after)
{
    memcpy(f->sae.xc, f->x, sizeof f->x);
    saei_topk_sae_set_dead(&f->sae, f->silent, dead_after);
    return saei_topk_sae_gradient(&f->gradient, &f->sae, &f->parameters, SCALE);
}

static void assert_close(double got, double expected, double tolerance, const char *what, size_t i)
{
    double scale = fabs(expected) > 1e-3 ? fabs(expected) : 1e-3;
    ck_assert_msg(fabs(got - expected) <= tolerance * scale, "%s[%zu]: %.9g, expected %.9g", what, i, got,
                  expected);
}

/* float32 sums: an entry is exact to rounding relative to the largest of the gradient, since terms cancel. */
static void assert_gradient(const fixture *f, const double *expected)
{
    double largest = 0.0;
    for (size_t i = 0; i < f->gradient.count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < f->gradient.count; i++)
        ck_assert_msg(fabs((double)f->gradient.all[i] - expected[i]) <= 1e-6 * largest,
                      "gradient[%zu]: %.9g, expected %.9g", i, (double)f->gradient.all[i], expected[i]);
}

START_TEST(gradient_equals_pytorch)
{
    fixture *f = fixture_new();
    saei_topk_sae_result r = compute(f, 100);
    assert_close(r.loss, (double)f->losses[0], 1e-6, "loss", 0);
    assert_close(r.aux_loss, (double)f->losses[1], 1e-6, "aux", 0);
    double norm2 = 0.0, expected[2 * F * D + F + D] = {0};
    for (size_t i = 0; i < f->gradient.count; i++) {
        expected[i] = (double)f->expected[i];
        norm2 += expected[i] * expected[i];
    }
    assert_gradient(f, expected);
    assert_close(r.gradient_norm, sqrt(norm2), 1e-5, "norm", 0);
    fixture_free(f);
}
END_TEST

/* The total loss in double, with the codes' supports and the constants of AuxK as the library chose them. */
typedef struct reference {
    const fixture *f;
    double b_dec_fixed[D], e_fixed[ROWS * D], spread;
} reference;

static double pre_activation(const fixture *f, const double *p, const double *b_dec, size_t row, size_t j)
{
    double sum = p[2 * F * D + j];
    for (size_t i = 0; i < D; i++)
        sum += ((double)SCALE * (double)f->x[row * D + i] - b_dec[i]) * p[j * D + i];
    return sum;
}

static void residual(double *e, const fixture *f, const double *p, size_t row)
{
    const double *b_dec = p + 2 * F * D + F;
    for (size_t i = 0; i < D; i++)
        e[i] = (double)SCALE * (double)f->x[row * D + i] - b_dec[i];
    for (size_t s = 0; s < f->sae.codes.count[row]; s++) {
        size_t j = f->sae.codes.latent[row * K + s];
        double value = pre_activation(f, p, b_dec, row, j);
        for (size_t i = 0; i < D; i++)
            e[i] -= value * p[F * D + j * D + i];
    }
}

static double total_loss(const reference *ref, const double *p)
{
    const fixture *f = ref->f;
    double loss = 0.0, aux = 0.0, e[D];
    for (size_t row = 0; row < ROWS; row++) {
        residual(e, f, p, row);
        for (size_t i = 0; i < D; i++)
            loss += e[i] * e[i] / ROWS;
        memcpy(e, ref->e_fixed + row * D, sizeof e);
        for (size_t s = 0; s < f->sae.dead.out.count[row]; s++) {
            size_t j = f->sae.dead_latents[f->sae.dead.out.latent[row * K_AUX + s]];
            double value = pre_activation(f, p, ref->b_dec_fixed, row, j);
            for (size_t i = 0; i < D; i++)
                e[i] -= value * p[F * D + j * D + i];
        }
        for (size_t i = 0; i < D; i++)
            aux += e[i] * e[i] / ref->spread;
    }
    return loss + AUX * aux;
}

static void fix_constants(reference *ref, const double *p)
{
    double mean[D] = {0};
    ref->spread = 0.0;
    memcpy(ref->b_dec_fixed, p + 2 * F * D + F, sizeof ref->b_dec_fixed);
    for (size_t row = 0; row < ROWS; row++) {
        residual(ref->e_fixed + row * D, ref->f, p, row);
        for (size_t i = 0; i < D; i++)
            mean[i] += ref->e_fixed[row * D + i] / ROWS;
    }
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < D; i++)
            ref->spread += pow(ref->e_fixed[row * D + i] - mean[i], 2.0);
}

START_TEST(gradient_equals_central_differences)
{
    fixture *f = fixture_new();
    compute(f, 100);
    size_t n = f->parameters.count;
    double *p = calloc(n, sizeof *p), *numeric = calloc(n, sizeof *numeric);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)f->parameters.all[i];
    reference *ref = calloc(1, sizeof *ref);
    ref->f = f;
    fix_constants(ref, p);
    for (size_t i = 0; i < n; i++) {
        const double h = 1e-5;
        double at = p[i];
        p[i] = at + h;
        double up = total_loss(ref, p);
        p[i] = at - h;
        double down = total_loss(ref, p);
        p[i] = at;
        numeric[i] = (up - down) / (2.0 * h);
    }
    for (size_t j = 0; j < F; j++) {
        double along = 0.0;
        for (size_t i = 0; i < D; i++)
            along += numeric[F * D + j * D + i] * p[F * D + j * D + i];
        for (size_t i = 0; i < D; i++)
            numeric[F * D + j * D + i] -= along * p[F * D + j * D + i];
    }
    assert_gradient(f, numeric);
    free(p);
    free(numeric);
    free(ref);
    fixture_free(f);
}
END_TEST

START_TEST(aux_needs_dead_latents)
{
    fixture *f = fixture_new();
    saei_topk_sae_result r = compute(f, 101);
    ck_assert(r.aux_loss == 0.0);
    ck_assert_uint_eq(f->sae.dead.n_latents, 0);
    fixture_free(f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradient");
    TCase *tests = tcase_create("gradient");
    tcase_add_test(tests, gradient_equals_pytorch);
    tcase_add_test(tests, gradient_equals_central_differences);
    tcase_add_test(tests, aux_needs_dead_latents);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
