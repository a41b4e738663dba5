#include "../tools/run_suite.h"
#include "base/rng.h"
#include "io/safetensors.h"
#include "sae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { D = 6, F = 17, K = 3, ROWS = 500 };

typedef struct small_model {
    sae_context *context;
    sae_model *model;
    float W_enc[D * F], b_enc[F], W_dec[F * D], b_dec[D], rows[ROWS * D];
} small_model;

static small_model *small_model_new(void)
{
    small_model *m = calloc(1, sizeof *m);
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    float *parts[] = {m->W_enc, m->b_enc, m->W_dec, m->b_dec, m->rows};
    size_t sizes[] = {D * F, F, F * D, D, ROWS * D};
    for (size_t p = 0; p < 5; p++)
        for (size_t i = 0; i < sizes[p]; i++)
            parts[p][i] = (float)saei_rng_normal(&rng);
    ck_assert_int_eq(sae_context_new(&m->context, NULL, NULL), SAE_OK);
    sae_params params = {D, F, K, m->W_enc, m->b_enc, m->W_dec, m->b_dec};
    ck_assert_int_eq(sae_model_new(&m->model, m->context, &params, NULL), SAE_OK);
    return m;
}

static void small_model_free(small_model *m)
{
    sae_model_free(m->model);
    ck_assert_uint_eq(sae_context_memory_used(m->context), 0);
    sae_context_free(m->context);
    free(m);
}

/* f = the k largest of relu((x − b_dec) W_enc + b_enc), x̂ = f W_dec + b_dec, in double. */
static void reference(double *f, double *xhat, const small_model *m, size_t row)
{
    double pre[F];
    for (size_t j = 0; j < F; j++) {
        pre[j] = (double)m->b_enc[j];
        for (size_t i = 0; i < D; i++)
            pre[j] += ((double)m->rows[row * D + i] - (double)m->b_dec[i]) * (double)m->W_enc[i * F + j];
    }
    for (size_t j = 0; j < F; j++) {
        size_t better = 0;
        for (size_t o = 0; o < F; o++)
            better += pre[o] > pre[j];
        f[j] = better < K && pre[j] > 0.0 ? pre[j] : 0.0;
    }
    for (size_t i = 0; i < D; i++) {
        xhat[i] = (double)m->b_dec[i];
        for (size_t j = 0; j < F; j++)
            xhat[i] += f[j] * (double)m->W_dec[j * D + i];
    }
}

START_TEST(encode_and_decode_follow_the_formula)
{
    small_model *m = small_model_new();
    sae_codes *codes;
    float *out = calloc(ROWS * D, sizeof *out);
    ck_assert_int_eq(sae_codes_new(&codes, m->context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, ROWS, D, D}, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    ck_assert_uint_eq(view.rows, ROWS);
    ck_assert_int_eq(sae_model_decode(out, m->model, view, NULL), SAE_OK);
    for (size_t r = 0; r < ROWS; r++) {
        double f[F], xhat[D];
        reference(f, xhat, m, r);
        uint64_t at = view.row_ptr[r];
        for (uint32_t j = 0; j < F; j++) {
            if (f[j] == 0.0)
                continue;
            ck_assert(at < view.row_ptr[r + 1] && view.latent[at] == j);
            ck_assert(fabs((double)view.value[at++] - f[j]) <= 1e-5);
        }
        ck_assert_uint_eq(at, view.row_ptr[r + 1]);
        for (size_t i = 0; i < D; i++)
            ck_assert(fabs((double)out[r * D + i] - xhat[i]) <= 1e-4);
    }
    /* A buffer is reused for fewer and for more rows, and with a stride. */
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, ROWS / 2, D, 2 * D}, NULL),
                     SAE_OK);
    view = sae_codes_get(codes);
    ck_assert_uint_eq(view.rows, ROWS / 2);
    double f[F], xhat[D];
    reference(f, xhat, m, 20);
    ck_assert(fabs((double)view.value[view.row_ptr[10]] - f[view.latent[view.row_ptr[10]]]) <= 1e-5);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, 0, D, D}, NULL), SAE_OK);
    ck_assert_uint_eq(sae_codes_get(codes).rows, 0);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, 1, D - 1, D}, NULL),
                     SAE_E_MISMATCH);
    sae_codes_free(codes);
    free(out);
    small_model_free(m);
}
END_TEST

START_TEST(model_file_round_trip)
{
    small_model *m = small_model_new();
    sae_model *loaded;
    sae_error err;
    char path[] = "/tmp/libsae-model-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(sae_model_save(m->model, path, false, &err), SAE_E_EXISTS);
    ck_assert_msg(sae_model_save(m->model, path, true, &err) == SAE_OK, "%s", err.text);
    ck_assert_msg(sae_model_load(&loaded, m->context, path, &err) == SAE_OK, "%s", err.text);
    sae_params p = sae_model_params(loaded);
    ck_assert(p.d == D && p.n_latents == F && p.k == K);
    ck_assert_int_eq(memcmp(p.W_enc, m->W_enc, sizeof m->W_enc), 0);
    ck_assert_int_eq(memcmp(p.b_enc, m->b_enc, sizeof m->b_enc), 0);
    ck_assert_int_eq(memcmp(p.W_dec, m->W_dec, sizeof m->W_dec), 0);
    ck_assert_int_eq(memcmp(p.b_dec, m->b_dec, sizeof m->b_dec), 0);
    ck_assert_str_eq(sae_model_metadata(loaded, "architecture"), "topk");
    ck_assert_str_eq(sae_model_metadata(loaded, "k"), "3");
    ck_assert_ptr_null(sae_model_metadata(loaded, "nothing"));
    sae_model_free(loaded);
    unlink(path);
    small_model_free(m);
}
END_TEST

typedef struct bad_file {
    const char *what, *k, *architecture;
    uint64_t b_enc_size;
    sae_status expected;
} bad_file;

START_TEST(bad_model_files_are_refused)
{
    const bad_file cases[] = {
        {"good", "3", "topk", F, SAE_OK},
        {"no k", NULL, "topk", F, SAE_E_FORMAT},
        {"k zero", "0", "topk", F, SAE_E_FORMAT},
        {"k negative", "-3", "topk", F, SAE_E_FORMAT},
        {"k with junk", "3x", "topk", F, SAE_E_FORMAT},
        {"k above F", "18", "topk", F, SAE_E_FORMAT},
        {"architecture", "3", "relu", F, SAE_E_UNSUPPORTED},
        {"shape", "3", "topk", F - 1, SAE_E_FORMAT},
    };
    small_model *m = small_model_new();
    char path[] = "/tmp/libsae-model-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const saei_tensor_out tensors[] = {{"W_enc", SAEI_F32, 2, {D, F}, m->W_enc},
                                           {"b_enc", SAEI_F32, 1, {cases[c].b_enc_size}, m->b_enc},
                                           {"W_dec", SAEI_F32, 2, {F, D}, m->W_dec},
                                           {"b_dec", SAEI_F32, 1, {D}, m->b_dec}};
        const saei_metadata metadata[] = {{"architecture", cases[c].architecture}, {"k", cases[c].k}};
        sae_model *loaded;
        sae_error err = {0};
        ck_assert_int_eq(saei_safetensors_save(m->context, path, SAEI_OVERWRITE, tensors, 4, metadata,
                                               cases[c].k != NULL ? 2 : 1, &err),
                         SAE_OK);
        ck_assert_msg(sae_model_load(&loaded, m->context, path, &err) == cases[c].expected, "%s: %s",
                      cases[c].what, err.text);
        ck_assert((loaded != NULL) == (cases[c].expected == SAE_OK));
        ck_assert(cases[c].expected == SAE_OK || strstr(err.text, path) != NULL);
        sae_model_free(loaded);
    }
    unlink(path);
    small_model_free(m);
}
END_TEST

START_TEST(parameters_are_checked)
{
    small_model *m = small_model_new();
    sae_model *model;
    sae_params params = {D, F, F + 1, m->W_enc, m->b_enc, m->W_dec, m->b_dec};
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), SAE_E_ARGUMENT);
    params.k = K;
    m->b_dec[2] = NAN;
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), SAE_E_NONFINITE);
    ck_assert_ptr_null(model);
    small_model_free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_add_test(tests, encode_and_decode_follow_the_formula);
    tcase_add_test(tests, model_file_round_trip);
    tcase_add_test(tests, bad_model_files_are_refused);
    tcase_add_test(tests, parameters_are_checked);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
