#include "../tools/run_suite.h"
#include "base/rng.h"
#include "io/safetensors.h"
#include "sae.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { D = 6, F = 17, K = 3, ROWS = 500, ACTIVATIONS = 4 };

typedef struct small_model {
    sae_context *context;
    sae_model *model;
    sae_params params;
    float W_enc[F * D], b_enc[F], W_dec[F * D], b_dec[D], threshold[F], r_mag[F], b_mag[F], rows[ROWS * D];
} small_model;

static small_model *small_model_new(sae_activation activation)
{
    small_model *m = calloc(1, sizeof *m);
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    float *parts[] = {m->W_enc, m->b_enc, m->W_dec, m->b_dec, m->threshold, m->r_mag, m->b_mag, m->rows};
    size_t sizes[] = {F * D, F, F * D, D, F, F, F, ROWS * D};
    for (size_t p = 0; p < sizeof sizes / sizeof sizes[0]; p++)
        for (size_t i = 0; i < sizes[p]; i++)
            parts[p][i] = (float)saei_rng_normal(&rng);
    for (size_t j = 0; j < F; j++)
        m->threshold[j] = fabsf(m->threshold[j]);
    ck_assert_int_eq(sae_context_new(&m->context, NULL, NULL), SAE_OK);
    m->params = (sae_params){.d = D,
                             .n_latents = F,
                             .activation = activation,
                             .k = activation == SAE_TOPK ? K : 0,
                             .W_enc = m->W_enc,
                             .b_enc = m->b_enc,
                             .W_dec = m->W_dec,
                             .b_dec = m->b_dec,
                             .threshold = activation == SAE_JUMPRELU ? m->threshold : NULL,
                             .r_mag = activation == SAE_GATED ? m->r_mag : NULL,
                             .b_mag = activation == SAE_GATED ? m->b_mag : NULL};
    ck_assert_int_eq(sae_model_new(&m->model, m->context, &m->params, NULL), SAE_OK);
    return m;
}

static void small_model_free(small_model *m)
{
    sae_model_free(m->model);
    ck_assert_uint_eq(sae_context_memory_used(m->context), 0);
    sae_context_free(m->context);
    free(m);
}

/* f of pre-activations π [F], in double, as the header of the model layer says; xw is xc · W_enc. */
static void activate(double *f, const small_model *m, const double *pre, const double *xw)
{
    for (size_t j = 0; j < F; j++) {
        size_t better = 0;
        for (size_t o = 0; o < F; o++)
            better += pre[o] > pre[j];
        switch (m->params.activation) {
        case SAE_TOPK:
            f[j] = better < K && pre[j] > 0 ? pre[j] : 0;
            break;
        case SAE_RELU:
            f[j] = pre[j] > 0 ? pre[j] : 0;
            break;
        case SAE_JUMPRELU:
            f[j] = pre[j] > (double)m->threshold[j] ? pre[j] : 0;
            break;
        case SAE_GATED:
            f[j] = pre[j] > 0 ? fmax(exp((double)m->r_mag[j]) * xw[j] + (double)m->b_mag[j], 0) : 0;
            break;
        }
    }
}

static void reference(double *f, double *xhat, const small_model *m, size_t row)
{
    double pre[F], xw[F];
    for (size_t j = 0; j < F; j++) {
        xw[j] = 0;
        for (size_t i = 0; i < D; i++)
            xw[j] += ((double)m->rows[row * D + i] - (double)m->b_dec[i]) * (double)m->W_enc[j * D + i];
        pre[j] = xw[j] + (double)m->b_enc[j];
    }
    activate(f, m, pre, xw);
    for (size_t i = 0; i < D; i++) {
        xhat[i] = (double)m->b_dec[i];
        for (size_t j = 0; j < F; j++)
            xhat[i] += f[j] * (double)m->W_dec[j * D + i];
    }
}

static void check_rows(const small_model *m, sae_codes_view view, const float *decoded)
{
    for (size_t r = 0; r < ROWS; r++) {
        double f[F], xhat[D];
        reference(f, xhat, m, r);
        uint64_t at = view.row_ptr[r];
        for (uint32_t j = 0; j < F; j++) {
            if (f[j] == 0.0)
                continue;
            ck_assert(at < view.row_ptr[r + 1] && view.latent[at] == j);
            ck_assert(fabs((double)view.value[at++] - f[j]) <= 1e-5 * fmax(1, f[j]));
        }
        ck_assert_uint_eq(at, view.row_ptr[r + 1]);
        for (size_t i = 0; i < D; i++)
            ck_assert(fabs((double)decoded[r * D + i] - xhat[i]) <= 1e-4);
    }
}

START_TEST(encode_and_decode_follow_the_formula)
{
    small_model *m = small_model_new((sae_activation)_i);
    sae_codes *codes;
    float *out = calloc(ROWS * D, sizeof *out);
    ck_assert_int_eq(sae_codes_new(&codes, m->context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, ROWS, D, D}, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    ck_assert_uint_eq(view.rows, ROWS);
    ck_assert_int_eq(sae_model_decode(out, m->model, view, NULL), SAE_OK);
    check_rows(m, view, out);
    /* A buffer is reused for fewer and for more rows, and with a stride. */
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, ROWS / 2, D, 2 * D}, NULL),
                     SAE_OK);
    view = sae_codes_get(codes);
    ck_assert_uint_eq(view.rows, ROWS / 2);
    double f[F], xhat[D];
    reference(f, xhat, m, 20);
    ck_assert(view.row_ptr[11] > view.row_ptr[10]);
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

/* At the threshold itself a JumpReLU is silent, and so is a latent whose threshold is out of reach. */
START_TEST(the_threshold_is_strict)
{
    const float W[3] = {1, 1, 1}, zero[3] = {0}, threshold[3] = {2, 1.5f, FLT_MAX}, rows[3] = {2, 2.5f, 1};
    const sae_params params = {.d = 1,
                               .n_latents = 3,
                               .activation = SAE_JUMPRELU,
                               .W_enc = W,
                               .b_enc = zero,
                               .W_dec = W,
                               .b_dec = zero,
                               .threshold = threshold};
    const uint64_t row_ptr[] = {0, 1, 3, 3};
    const uint32_t latent[] = {1, 0, 1};
    const float value[] = {2, 2.5f, 2.5f};
    sae_context *context;
    sae_model *model;
    sae_codes *codes;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, 3, 1, 1}, NULL), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    ck_assert_mem_eq(view.row_ptr, row_ptr, sizeof row_ptr);
    ck_assert_mem_eq(view.latent, latent, sizeof latent);
    ck_assert_mem_eq(view.value, value, sizeof value);
    sae_codes_free(codes);
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

/* A model of many latents of which a row fires none or many; integers, so that codes are exact in any order
   of summation. r_mag is 0, so that the gain is 1. */
enum { WIDE_F = 3000, WIDE_D = 4, WIDE_ROWS = 4200 };

typedef struct wide_model {
    float W_enc[WIDE_F * WIDE_D], b_enc[WIDE_F], threshold[WIDE_F], r_mag[WIDE_F], b_mag[WIDE_F];
    float b_dec[WIDE_D], rows[WIDE_ROWS * WIDE_D];
} wide_model;

static sae_model *wide_model_new(wide_model *m, sae_context *context, sae_activation activation)
{
    saei_rng rng = saei_rng_new(6, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < WIDE_F * WIDE_D; i++)
        m->W_enc[i] = (float)saei_rng_below(&rng, 7) - (i % WIDE_D == 0 ? 0 : 3);
    for (size_t j = 0; j < WIDE_F; j++) {
        m->b_enc[j] = -(float)saei_rng_below(&rng, 9);
        m->threshold[j] = (float)saei_rng_below(&rng, 12);
        m->b_mag[j] = (float)saei_rng_below(&rng, 9) - 4;
    }
    /* Of four rows one has no active latent, since no bias is above 0, two have many, and one has most: the
       first weight is never below 0. */
    for (size_t i = 0; i < WIDE_ROWS * WIDE_D; i++)
        m->rows[i] = i / WIDE_D % 4 == 0              ? 0
                     : i % (4 * WIDE_D) == 2 * WIDE_D ? 9
                                                      : (float)saei_rng_below(&rng, 9) - 4;
    sae_params params = {.d = WIDE_D,
                         .n_latents = WIDE_F,
                         .activation = activation,
                         .W_enc = m->W_enc,
                         .b_enc = m->b_enc,
                         .W_dec = m->W_enc,
                         .b_dec = m->b_dec,
                         .threshold = activation == SAE_JUMPRELU ? m->threshold : NULL,
                         .r_mag = activation == SAE_GATED ? m->r_mag : NULL,
                         .b_mag = activation == SAE_GATED ? m->b_mag : NULL};
    if (activation == SAE_TOPK)
        params.k = 20;
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    return model;
}

static float wide_activation(const wide_model *m, sae_activation activation, size_t row, size_t j)
{
    float xw = 0;
    for (size_t i = 0; i < WIDE_D; i++)
        xw += m->rows[row * WIDE_D + i] * m->W_enc[j * WIDE_D + i];
    float pre = xw + m->b_enc[j], magnitude = xw + m->b_mag[j];
    switch (activation) {
    case SAE_JUMPRELU:
        return pre > m->threshold[j] ? pre : 0;
    case SAE_GATED:
        return pre > 0 && magnitude > 0 ? magnitude : 0;
    default:
        return pre > 0 ? pre : 0;
    }
}

static bool wide_row_is_right(const wide_model *m, sae_activation activation, sae_codes_view codes,
                              size_t row)
{
    uint64_t at = codes.row_ptr[row], end = codes.row_ptr[row + 1];
    for (uint32_t j = 0; j < WIDE_F; j++) {
        float f = wide_activation(m, activation, row, j);
        if (f == 0)
            continue;
        if (at == end || codes.latent[at] != j || codes.value[at] != f)
            return false;
        at++;
    }
    return at == end;
}

START_TEST(rows_may_have_any_number_of_codes)
{
    sae_activation activation = (sae_activation)_i;
    wide_model *m = calloc(1, sizeof *m);
    sae_context *context;
    sae_codes *codes;
    ck_assert_int_eq(sae_context_new(&context, NULL, NULL), SAE_OK);
    sae_model *model = wide_model_new(m, context, activation);
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){m->rows, WIDE_ROWS, WIDE_D, WIDE_D}, NULL),
                     SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    size_t long_rows = 0, longest_rows = 0;
    for (size_t r = 0; r < WIDE_ROWS; r++) {
        ck_assert_msg(wide_row_is_right(m, activation, view, r), "row %zu", r);
        long_rows += view.row_ptr[r + 1] - view.row_ptr[r] > 256;
        longest_rows += view.row_ptr[r + 1] - view.row_ptr[r] > 2048;
    }
    /* More than are encoded at once with the slots they need; and some need more slots still. */
    ck_assert_uint_gt(long_rows, 2048);
    ck_assert_uint_gt(longest_rows, 500);
    sae_codes_free(codes);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    free(m);
}
END_TEST

static sae_codes *encode_wide(sae_context *context, const sae_model *model, const float *rows, size_t n)
{
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, n, WIDE_D, WIDE_D}, NULL), SAE_OK);
    return codes;
}

START_TEST(codes_depend_neither_on_threads_nor_on_the_other_rows)
{
    wide_model *m = calloc(1, sizeof *m);
    sae_context_options options;
    sae_context_options_init(&options);
    sae_context *context[2];
    sae_model *model[2];
    sae_codes *codes[2];
    for (unsigned i = 0; i < 2; i++) {
        options.threads = 1 + 2 * i;
        ck_assert_int_eq(sae_context_new(&context[i], &options, NULL), SAE_OK);
        model[i] = wide_model_new(m, context[i], (sae_activation)_i);
        codes[i] = encode_wide(context[i], model[i], m->rows, WIDE_ROWS);
    }
    sae_codes_view all = sae_codes_get(codes[0]), other = sae_codes_get(codes[1]);
    ck_assert_mem_eq(all.row_ptr, other.row_ptr, (WIDE_ROWS + 1) * sizeof *all.row_ptr);
    ck_assert_mem_eq(all.latent, other.latent, all.row_ptr[WIDE_ROWS] * sizeof *all.latent);
    ck_assert_mem_eq(all.value, other.value, all.row_ptr[WIDE_ROWS] * sizeof *all.value);
    sae_codes *alone = encode_wide(context[0], model[0], m->rows, 1);
    for (size_t r = 0; r < WIDE_ROWS; r += 97) {
        const sae_view row = {m->rows + r * WIDE_D, 1, WIDE_D, WIDE_D};
        ck_assert_int_eq(sae_model_encode(alone, model[0], row, NULL), SAE_OK);
        sae_codes_view one = sae_codes_get(alone);
        uint64_t n = all.row_ptr[r + 1] - all.row_ptr[r];
        ck_assert_uint_eq(one.row_ptr[1], n);
        if (n > 0) {
            ck_assert_mem_eq(one.latent, all.latent + all.row_ptr[r], n * sizeof *one.latent);
            ck_assert_mem_eq(one.value, all.value + all.row_ptr[r], n * sizeof *one.value);
        }
    }
    sae_codes_free(alone);
    for (unsigned i = 0; i < 2; i++) {
        sae_codes_free(codes[i]);
        sae_model_free(model[i]);
        sae_context_free(context[i]);
    }
    free(m);
}
END_TEST

static void temporary_file(char *path)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void same_vector(const float *loaded, const float *given)
{
    ck_assert((loaded != NULL) == (given != NULL));
    if (given != NULL)
        ck_assert_mem_eq(loaded, given, F * sizeof *given);
}

START_TEST(model_file_round_trip)
{
    small_model *m = small_model_new((sae_activation)_i);
    sae_model *loaded;
    sae_error err;
    char path[] = "/tmp/libsae-model-XXXXXX";
    temporary_file(path);
    ck_assert_int_eq(sae_model_save(m->model, path, false, &err), SAE_E_EXISTS);
    ck_assert_msg(sae_model_save(m->model, path, true, &err) == SAE_OK, "%s", err.text);
    ck_assert_msg(sae_model_load(&loaded, m->context, path, &err) == SAE_OK, "%s", err.text);
    sae_params p = sae_model_params(loaded);
    ck_assert(p.d == D && p.n_latents == F && p.k == m->params.k && p.activation == m->params.activation);
    ck_assert_uint_eq(sae_model_k(loaded), m->params.k);
    ck_assert_mem_eq(p.W_enc, m->W_enc, sizeof m->W_enc);
    ck_assert_mem_eq(p.b_enc, m->b_enc, sizeof m->b_enc);
    ck_assert_mem_eq(p.W_dec, m->W_dec, sizeof m->W_dec);
    ck_assert_mem_eq(p.b_dec, m->b_dec, sizeof m->b_dec);
    same_vector(p.threshold, m->params.threshold);
    same_vector(p.r_mag, m->params.r_mag);
    same_vector(p.b_mag, m->params.b_mag);
    const char *name = sae_activation_name(m->params.activation);
    ck_assert_str_eq(sae_model_metadata(loaded, "activation"), name);
    ck_assert_str_eq(sae_model_metadata(loaded, "architecture"), name);
    const char *k = sae_model_metadata(loaded, "k");
    ck_assert(m->params.k > 0 ? strcmp(k, "3") == 0 : k == NULL);
    ck_assert((sae_model_metadata(loaded, "threshold_max") != NULL) == (p.threshold != NULL));
    ck_assert_ptr_null(sae_model_metadata(loaded, "nothing"));
    sae_model_free(loaded);
    unlink(path);
    small_model_free(m);
}
END_TEST

/* Other programs read the file: W_enc is [d, F] there. */
START_TEST(the_file_holds_the_encoder_by_columns)
{
    small_model *m = small_model_new(SAE_TOPK);
    char path[] = "/tmp/libsae-model-XXXXXX";
    temporary_file(path);
    ck_assert_int_eq(sae_model_save(m->model, path, true, NULL), SAE_OK);
    saei_safetensors *file;
    float W[D * F];
    ck_assert_int_eq(saei_safetensors_open(&file, m->context, path, NULL), SAE_OK);
    const saei_tensor_info *tensor = saei_safetensors_find(file, "W_enc");
    ck_assert(tensor->shape[0] == D && tensor->shape[1] == F);
    ck_assert_int_eq(saei_safetensors_read_f32(W, file, tensor, NULL), SAE_OK);
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < F; j++)
            ck_assert(W[i * F + j] == m->W_enc[j * D + i]);
    saei_safetensors_free(file);
    unlink(path);
    small_model_free(m);
}
END_TEST

typedef struct bad_file {
    const char *what;
    const char *metadata[3][2]; /* key, value; the first NULL ends */
    uint64_t b_enc_size;
    bool threshold;
    float least_threshold;
    sae_status expected;
} bad_file;

static const bad_file bad_files[] = {
    {"good", {{"k", "3"}, {"architecture", "topk"}}, F, false, 0, SAE_OK},
    {"no k", {{"architecture", "topk"}}, F, false, 0, SAE_E_FORMAT},
    {"k zero", {{"k", "0"}, {"architecture", "topk"}}, F, false, 0, SAE_E_FORMAT},
    {"k negative", {{"k", "-3"}, {"architecture", "topk"}}, F, false, 0, SAE_E_FORMAT},
    {"k with junk", {{"k", "3x"}, {"architecture", "topk"}}, F, false, 0, SAE_E_FORMAT},
    {"k above F", {{"k", "18"}, {"architecture", "topk"}}, F, false, 0, SAE_E_FORMAT},
    {"architecture", {{"k", "3"}, {"architecture", "relu"}}, F, false, 0, SAE_E_UNSUPPORTED},
    {"nothing said", {{"k", "3"}}, F, false, 0, SAE_E_UNSUPPORTED},
    {"shape", {{"k", "3"}, {"architecture", "topk"}}, F - 1, false, 0, SAE_E_FORMAT},
    {"activation", {{"activation", "relu"}, {"architecture", "p_anneal"}}, F, false, 0, SAE_OK},
    {"k beside a threshold", {{"activation", "jumprelu"}, {"k", "3"}}, F, true, 0.5f, SAE_OK},
    {"unknown activation",
     {{"activation", "tanh"}, {"architecture", "topk"}},
     F,
     false,
     0,
     SAE_E_UNSUPPORTED},
    {"no threshold", {{"activation", "jumprelu"}}, F, false, 0, SAE_E_FORMAT},
    {"negative threshold", {{"activation", "jumprelu"}}, F, true, -0.5f, SAE_E_ARGUMENT},
    {"infinite threshold", {{"activation", "jumprelu"}}, F, true, INFINITY, SAE_E_NONFINITE},
    {"no magnitude", {{"activation", "gated"}}, F, true, 0, SAE_E_FORMAT},
};

static void write_file(const small_model *m, const char *path, const bad_file *c)
{
    float threshold[F] = {[F - 1] = c->least_threshold};
    const saei_tensor_out tensors[] = {
        {.name = "W_enc", .dtype = SAEI_F32, .rank = 2, .shape = {D, F}, .data = m->W_enc},
        {.name = "b_enc", .dtype = SAEI_F32, .rank = 1, .shape = {c->b_enc_size}, .data = m->b_enc},
        {.name = "W_dec", .dtype = SAEI_F32, .rank = 2, .shape = {F, D}, .data = m->W_dec},
        {.name = "b_dec", .dtype = SAEI_F32, .rank = 1, .shape = {D}, .data = m->b_dec},
        {.name = "threshold", .dtype = SAEI_F32, .rank = 1, .shape = {F}, .data = threshold}};
    saei_metadata metadata[3];
    size_t n = 0;
    for (; n < 3 && c->metadata[n][0] != NULL; n++)
        metadata[n] = (saei_metadata){c->metadata[n][0], c->metadata[n][1]};
    ck_assert_int_eq(saei_safetensors_save(m->context, path, SAEI_OVERWRITE, tensors, c->threshold ? 5 : 4,
                                           metadata, n, NULL),
                     SAE_OK);
}

START_TEST(bad_model_files_are_refused)
{
    const bad_file *c = &bad_files[_i];
    small_model *m = small_model_new(SAE_TOPK);
    char path[] = "/tmp/libsae-model-XXXXXX";
    temporary_file(path);
    write_file(m, path, c);
    sae_model *loaded;
    sae_error err = {0};
    ck_assert_msg(sae_model_load(&loaded, m->context, path, &err) == c->expected, "%s: %s", c->what,
                  err.text);
    ck_assert((loaded != NULL) == (c->expected == SAE_OK));
    ck_assert(c->expected == SAE_OK || strstr(err.text, path) != NULL);
    sae_model_free(loaded);
    unlink(path);
    small_model_free(m);
}
END_TEST

static void refused(const small_model *m, sae_params params, sae_status expected)
{
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), expected);
    ck_assert_ptr_null(model);
}

START_TEST(parameters_are_checked)
{
    small_model *m = small_model_new(SAE_TOPK), *jump = small_model_new(SAE_JUMPRELU),
                *gated = small_model_new(SAE_GATED);
    sae_params params = m->params;
    params.k = F + 1;
    refused(m, params, SAE_E_ARGUMENT);
    params.k = 0;
    refused(m, params, SAE_E_ARGUMENT);
    params.activation = (sae_activation)ACTIVATIONS;
    refused(m, params, SAE_E_ARGUMENT);
    params = m->params;
    params.threshold = m->threshold;
    refused(m, params, SAE_E_ARGUMENT);
    m->b_dec[2] = NAN;
    refused(m, m->params, SAE_E_NONFINITE);

    params = jump->params;
    params.k = K;
    refused(jump, params, SAE_E_ARGUMENT);
    params = jump->params;
    params.threshold = NULL;
    refused(jump, params, SAE_E_ARGUMENT);
    jump->threshold[4] = -1e-30f;
    refused(jump, jump->params, SAE_E_ARGUMENT);
    jump->threshold[4] = NAN;
    refused(jump, jump->params, SAE_E_NONFINITE);

    params = gated->params;
    params.r_mag = NULL;
    refused(gated, params, SAE_E_ARGUMENT);
    gated->r_mag[1] = 100; /* e^100 is beyond float32 */
    refused(gated, gated->params, SAE_E_NONFINITE);
    small_model_free(m);
    small_model_free(jump);
    small_model_free(gated);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_add_loop_test(tests, encode_and_decode_follow_the_formula, 0, ACTIVATIONS);
    tcase_add_test(tests, the_threshold_is_strict);
    tcase_add_loop_test(tests, rows_may_have_any_number_of_codes, SAE_RELU, ACTIVATIONS);
    tcase_add_loop_test(tests, codes_depend_neither_on_threads_nor_on_the_other_rows, 0, ACTIVATIONS);
    tcase_add_loop_test(tests, model_file_round_trip, 0, ACTIVATIONS);
    tcase_add_test(tests, the_file_holds_the_encoder_by_columns);
    tcase_add_loop_test(tests, bad_model_files_are_refused, 0, sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(tests, parameters_are_checked);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
