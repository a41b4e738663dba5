/* Models that normalise each row by itself: the formulas of sae_row_norm in double, rows that have no
   deviation or no length, the file, and what is refused. */
#include "../tools/run_suite.h"
#include "base/rng.h"
#include "model/identity.h"
#include "model/latent_row.h"
#include "model/row_norm.h"
#include "sae.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* F and ROWS: a ReLU row may have more active latents than it gets slots at first, and rows come in several
 * chunks. */
enum { D = 7, F = 600, K = 9, ROWS = 4200, NORMS = 2, ACTIVATIONS = 4 };

typedef struct normed {
    sae_context *context;
    sae_model *model;
    sae_params params;
    float W_enc[F * D], b_enc[F], W_dec[F * D], b_dec[D], threshold[F], r_mag[F], b_mag[F], rows[ROWS * D];
} normed;

/* Rows of many lengths about many means. */
static void draw(normed *m)
{
    saei_rng rng = saei_rng_new(8, SAEI_STREAM_INIT, 0);
    float *parts[] = {m->W_enc, m->b_enc, m->W_dec, m->b_dec, m->threshold, m->r_mag, m->b_mag, m->rows};
    size_t sizes[] = {F * D, F, F * D, D, F, F, F, ROWS * D};
    for (size_t p = 0; p < sizeof sizes / sizeof sizes[0]; p++)
        for (size_t i = 0; i < sizes[p]; i++)
            parts[p][i] = (float)saei_rng_normal(&rng);
    for (size_t j = 0; j < F; j++)
        m->threshold[j] = fabsf(m->threshold[j]);
    for (size_t r = 0; r < ROWS; r++) {
        float mean = 10 * (float)saei_rng_normal(&rng), scale = expf(2 * (float)saei_rng_normal(&rng));
        for (size_t i = 0; i < D; i++)
            m->rows[r * D + i] = scale * m->rows[r * D + i] + mean;
    }
}

static normed *normed_new(sae_row_norm norm, sae_activation activation, unsigned threads)
{
    normed *m = calloc(1, sizeof *m);
    sae_context_options options;
    draw(m);
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
                             .b_mag = activation == SAE_GATED ? m->b_mag : NULL,
                             .row_norm = norm};
    sae_context_options_init(&options);
    options.threads = threads;
    ck_assert_int_eq(sae_context_new(&m->context, &options, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_new(&m->model, m->context, &m->params, NULL), SAE_OK);
    return m;
}

static void normed_free(normed *m)
{
    sae_model_free(m->model);
    ck_assert_uint_eq(sae_context_memory_used(m->context), 0);
    sae_context_free(m->context);
    free(m);
}

/* Test i is about norm 1 + i / ACTIVATIONS and activation i mod ACTIVATIONS. */
static normed *normed_of(int i, unsigned threads)
{
    return normed_new((sae_row_norm)(1 + i / ACTIVATIONS), (sae_activation)(i % ACTIVATIONS), threads);
}

static sae_codes *encoded(const normed *m, const float *rows, size_t n)
{
    sae_codes *codes;
    ck_assert_int_eq(sae_codes_new(&codes, m->context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){rows, n, D, D}, NULL), SAE_OK);
    return codes;
}

/* z [D], the shift and the scale of x [D]. */
static void reference(double *z, double *shift, double *scale, const float *x, sae_row_norm norm)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < D && norm == SAE_LAYER_NORM; i++)
        mean += (double)x[i] / D;
    for (size_t i = 0; i < D; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    *shift = mean;
    *scale = sqrt(squares / (norm == SAE_LAYER_NORM ? D - 1 : D));
    for (size_t i = 0; i < D; i++)
        z[i] = ((double)x[i] - mean) / (norm == SAE_LAYER_NORM ? *scale + 1e-5 : *scale);
}

/* Shift, scale and z of all rows by the formula. */
typedef struct formula {
    double shift[ROWS], scale[ROWS];
    float z[ROWS * D];
} formula;

static formula *formula_of(const normed *m)
{
    formula *out = calloc(1, sizeof *out);
    for (size_t r = 0; r < ROWS; r++) {
        double z[D];
        reference(z, &out->shift[r], &out->scale[r], m->rows + r * D, m->params.row_norm);
        for (size_t i = 0; i < D; i++)
            out->z[r * D + i] = (float)z[i];
    }
    return out;
}

/* Rounding may let a score that ties with its threshold fall to either side. */
static bool same_latents(sae_codes_view a, sae_codes_view b, size_t row)
{
    uint64_t n = a.row_ptr[row + 1] - a.row_ptr[row];
    return n == b.row_ptr[row + 1] - b.row_ptr[row] &&
           memcmp(a.latent + a.row_ptr[row], b.latent + b.row_ptr[row], n * sizeof *a.latent) == 0;
}

static bool near(const float *got, const float *want, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= 5e-5 * fmax(1, (double)want[i])))
            return false;
    return true;
}

static bool restored(const float *out, const float *zhat, double shift, double scale)
{
    for (size_t i = 0; i < D; i++)
        if (!(fabs((double)out[i] - (scale * (double)zhat[i] + shift)) <=
              1e-5 * (scale * (100 + fabs((double)zhat[i])) + fabs(shift))))
            return false;
    return true;
}

/* The codes of rows are those that the same parameters without a norm give the normalised rows of the
   formula, and their reconstruction is scaled and shifted back. */
START_TEST(rows_are_normalised_and_restored_by_the_formula)
{
    normed *m = normed_of(_i, 2);
    sae_params params = m->params;
    params.row_norm = SAE_NO_ROW_NORM;
    sae_model *plain;
    ck_assert_int_eq(sae_model_new(&plain, m->context, &params, NULL), SAE_OK);
    formula *want = formula_of(m);
    sae_codes *codes = encoded(m, m->rows, ROWS), *plain_codes;
    ck_assert_int_eq(sae_codes_new(&plain_codes, m->context, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_encode(plain_codes, plain, (sae_view){want->z, ROWS, D, D}, NULL), SAE_OK);
    sae_codes_view got = sae_codes_get(codes), expected = sae_codes_get(plain_codes);
    float *out = calloc(ROWS * D, sizeof *out), *zhat = calloc(ROWS * D, sizeof *zhat);
    ck_assert_int_eq(sae_model_decode(out, m->model, got, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_decode(zhat, plain, expected, NULL), SAE_OK);
    size_t undecided = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double shift = want->shift[r], scale = want->scale[r];
        ck_assert(fabs((double)got.row_shift[r] - shift) <= 1e-6 * fabs(shift));
        ck_assert(fabs((double)got.row_scale[r] - scale) <= 1e-6 * scale);
        if (!same_latents(got, expected, r)) {
            undecided++;
            continue;
        }
        uint64_t at = got.row_ptr[r], n = got.row_ptr[r + 1] - at;
        ck_assert_msg(near(got.value + at, expected.value + expected.row_ptr[r], n), "codes of row %zu", r);
        ck_assert_msg(restored(out + r * D, zhat + r * D, shift, scale), "row %zu", r);
    }
    ck_assert_uint_le(undecided, ROWS / 100);
    free(zhat);
    free(out);
    free(want);
    sae_codes_free(plain_codes);
    sae_codes_free(codes);
    sae_model_free(plain);
    normed_free(m);
}
END_TEST

START_TEST(codes_depend_neither_on_threads_nor_on_the_other_rows)
{
    normed *m[3];
    sae_codes *codes[3];
    for (unsigned t = 0; t < 3; t++) {
        m[t] = normed_of(_i, t + 1);
        codes[t] = encoded(m[t], m[t]->rows, ROWS);
    }
    sae_codes_view all = sae_codes_get(codes[0]);
    for (unsigned t = 1; t < 3; t++) {
        sae_codes_view other = sae_codes_get(codes[t]);
        ck_assert_mem_eq(all.row_ptr, other.row_ptr, (ROWS + 1) * sizeof *all.row_ptr);
        ck_assert_mem_eq(all.latent, other.latent, all.row_ptr[ROWS] * sizeof *all.latent);
        ck_assert_mem_eq(all.value, other.value, all.row_ptr[ROWS] * sizeof *all.value);
        ck_assert_mem_eq(all.row_shift, other.row_shift, ROWS * sizeof *all.row_shift);
        ck_assert_mem_eq(all.row_scale, other.row_scale, ROWS * sizeof *all.row_scale);
    }
    saei_latent_row *row;
    const uint32_t latents[] = {0, 5, 6, 311, F - 1};
    float value[5];
    ck_assert_int_eq(saei_latent_row_new(&row, m[0]->model, NULL), SAE_OK);
    sae_codes *one = encoded(m[0], m[0]->rows, 1);
    for (size_t r = 0; r < ROWS; r += 211) {
        const sae_view x = {m[0]->rows + r * D, 1, D, D};
        ck_assert_int_eq(sae_model_encode(one, m[0]->model, x, NULL), SAE_OK);
        sae_codes_view alone = sae_codes_get(one);
        uint64_t at = all.row_ptr[r], n = all.row_ptr[r + 1] - at;
        ck_assert_uint_eq(alone.row_ptr[1], n);
        ck_assert_mem_eq(alone.value, all.value + at, n * sizeof *all.value);
        ck_assert(alone.row_shift[0] == all.row_shift[r] && alone.row_scale[0] == all.row_scale[r]);
        saei_latent_row_read(value, row, latents, 5, m[0]->rows + r * D);
        for (size_t l = 0; l < 5; l++) {
            float f = 0;
            for (uint64_t i = 0; i < n; i++)
                f = all.latent[at + i] == latents[l] ? all.value[at + i] : f;
            ck_assert(value[l] == f);
        }
    }
    sae_codes_free(one);
    saei_latent_row_free(row);
    for (unsigned t = 0; t < 3; t++) {
        sae_codes_free(codes[t]);
        normed_free(m[t]);
    }
}
END_TEST

/* Rows without deviation, or of length 0, have z = 0 and come back as they are, to the bit; rows below the
   normal numbers stay finite. */
START_TEST(rows_that_cannot_be_divided_come_back)
{
    sae_row_norm norm = (sae_row_norm)_i;
    normed *m = normed_new(norm, SAE_RELU, 1);
    float same = norm == SAE_LAYER_NORM ? 0.1f : 0.0f, rows[3 * D], out[3 * D], z[D];
    for (size_t i = 0; i < D; i++) {
        rows[i] = same;
        rows[D + i] = norm == SAE_LAYER_NORM ? -3e7f : 0.0f;
        rows[2 * D + i] = i % 2 == 0 ? FLT_TRUE_MIN : -3 * FLT_TRUE_MIN;
    }
    for (size_t r = 0; r < 2; r++) {
        saei_row_frame frame = saei_row_normalise(z, rows + r * D, D, norm);
        ck_assert(frame.scale == 0 && frame.shift == rows[r * D]);
        for (size_t i = 0; i < D; i++)
            ck_assert(z[i] == 0);
    }
    saei_row_normalise(z, rows + 2 * D, D, norm);
    for (size_t i = 0; i < D; i++)
        ck_assert(fabsf(z[i]) <= 2);
    sae_codes *codes = encoded(m, rows, 3);
    sae_codes_view view = sae_codes_get(codes);
    ck_assert_int_eq(sae_model_decode(out, m->model, view, NULL), SAE_OK);
    ck_assert_mem_eq(out, rows, 2 * D * sizeof *out);
    for (size_t i = 0; i < D; i++)
        ck_assert(fabsf(out[2 * D + i]) <= 100 * FLT_TRUE_MIN + FLT_MIN);
    sae_codes_free(codes);
    normed_free(m);
}
END_TEST

/* [1, 2, 3, 6]: mean 3, deviation √(14/3); [3, 4, 0, 0]: length 5. */
START_TEST(known_rows)
{
    float x[4] = {1, 2, 3, 6}, y[4] = {3, 4, 0, 0};
    saei_row_frame frame = saei_row_normalise(x, x, 4, SAE_LAYER_NORM);
    const double want[4] = {-2, -1, 0, 3};
    ck_assert(frame.shift == 3 && fabs((double)frame.scale - sqrt(14.0 / 3)) <= 1e-7);
    for (size_t i = 0; i < 4; i++)
        ck_assert(fabs((double)x[i] - want[i] / (sqrt(14.0 / 3) + 1e-5)) <= 2e-7);
    frame = saei_row_normalise(y, y, 4, SAE_CONSTANT_NORM);
    ck_assert(frame.shift == 0 && frame.scale == 2.5f);
    ck_assert(fabsf(y[0] - 1.2f) <= 2e-7f && fabsf(y[1] - 1.6f) <= 2e-7f && y[2] == 0 && y[3] == 0);
    saei_row_restore(y, frame, 4);
    ck_assert(fabsf(y[0] - 3) <= 1e-6f && fabsf(y[1] - 4) <= 1e-6f);
}
END_TEST

START_TEST(codes_without_their_frames_are_not_decoded)
{
    normed *m = normed_new(SAE_LAYER_NORM, SAE_TOPK, 1);
    sae_codes *codes = encoded(m, m->rows, 1);
    sae_codes_view view = sae_codes_get(codes);
    float out[D], zhat[D];
    sae_error err;
    ck_assert_int_eq(sae_model_decode(out, m->model, view, NULL), SAE_OK);
    const float shift = view.row_shift[0], scale = view.row_scale[0], none = 0, one = 1;
    view.row_shift = &none;
    view.row_scale = &one;
    ck_assert_int_eq(sae_model_decode(zhat, m->model, view, NULL), SAE_OK);
    for (size_t i = 0; i < D; i++)
        ck_assert(out[i] == scale * zhat[i] + shift);
    view.row_shift = NULL;
    ck_assert_int_eq(sae_model_decode(out, m->model, view, &err), SAE_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(err.text, "layer_norm"));
    sae_codes_free(codes);
    normed_free(m);
}
END_TEST

/* A buffer goes from a model to another: what it says of the rows is of the last. */
START_TEST(a_buffer_of_codes_forgets_the_frames)
{
    normed *m = normed_new(SAE_LAYER_NORM, SAE_RELU, 1);
    sae_params params = m->params;
    params.row_norm = SAE_NO_ROW_NORM;
    sae_model *plain;
    ck_assert_int_eq(sae_model_new(&plain, m->context, &params, NULL), SAE_OK);
    sae_codes *codes = encoded(m, m->rows, 4);
    ck_assert_int_eq(sae_model_encode(codes, plain, (sae_view){m->rows, 9, D, D}, NULL), SAE_OK);
    ck_assert_ptr_null(sae_codes_get(codes).row_shift);
    ck_assert_ptr_null(sae_codes_get(codes).row_scale);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, 9, D, D}, NULL), SAE_OK);
    ck_assert(sae_codes_get(codes).row_scale[8] > 0);
    ck_assert_int_eq(sae_model_encode(codes, m->model, (sae_view){m->rows, 0, D, D}, NULL), SAE_OK);
    ck_assert_ptr_nonnull(sae_codes_get(codes).row_scale);
    sae_codes_free(codes);
    sae_model_free(plain);
    normed_free(m);
}
END_TEST

START_TEST(the_file_keeps_the_norm)
{
    char path[] = "/tmp/libsae-norm-XXXXXX", first[SAEI_IDENTITY_BYTES], second[SAEI_IDENTITY_BYTES];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    normed *m = normed_new((sae_row_norm)_i, SAE_TOPK, 1), *none = normed_new(SAE_NO_ROW_NORM, SAE_TOPK, 1);
    sae_model *loaded;
    ck_assert_int_eq(sae_model_save(m->model, path, true, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_load(&loaded, m->context, path, NULL), SAE_OK);
    ck_assert_int_eq(sae_model_params(loaded).row_norm, (sae_row_norm)_i);
    ck_assert_str_eq(sae_model_metadata(loaded, "row_norm"), sae_row_norm_name((sae_row_norm)_i));
    saei_model_identity(first, m->model);
    saei_model_identity(second, loaded);
    ck_assert_str_eq(first, second);
    saei_model_identity(second, none->model);
    ck_assert_str_ne(first, second);
    sae_model_free(loaded);
    normed_free(none);
    normed_free(m);
    unlink(path);
}
END_TEST

/* A file that names a norm of the future must not be read as if it had none. */
START_TEST(another_norm_is_refused_by_name)
{
    char path[] = "/tmp/libsae-norm-XXXXXX", bytes[1 << 16];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    normed *m = normed_new(SAE_LAYER_NORM, SAE_RELU, 1);
    ck_assert_int_eq(sae_model_save(m->model, path, true, NULL), SAE_OK);
    FILE *file = fopen(path, "r+b");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    char *name = memmem(bytes, n, "layer_norm", 10);
    ck_assert_ptr_nonnull(name);
    fseek(file, name - bytes, SEEK_SET);
    fputs("batch_norm", file);
    fclose(file);
    sae_model *loaded;
    sae_error err;
    ck_assert_int_eq(sae_model_load(&loaded, m->context, path, &err), SAE_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "batch_norm"));
    normed_free(m);
    unlink(path);
}
END_TEST

START_TEST(norms_that_cannot_be_are_refused)
{
    normed *m = normed_new(SAE_LAYER_NORM, SAE_RELU, 1);
    sae_params params = m->params;
    sae_model *model;
    params.row_norm = (sae_row_norm)3;
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), SAE_E_ARGUMENT);
    params = m->params;
    params.d = 1;
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), SAE_E_ARGUMENT);
    params.row_norm = SAE_CONSTANT_NORM;
    ck_assert_int_eq(sae_model_new(&model, m->context, &params, NULL), SAE_OK);
    sae_model_free(model);
    ck_assert_ptr_null(sae_row_norm_name((sae_row_norm)3));
    normed_free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("row_norm");
    TCase *tests = tcase_create("row_norm");
    tcase_add_loop_test(tests, rows_are_normalised_and_restored_by_the_formula, 0, NORMS * ACTIVATIONS);
    tcase_add_loop_test(tests, codes_depend_neither_on_threads_nor_on_the_other_rows, 0, NORMS * ACTIVATIONS);
    tcase_add_loop_test(tests, rows_that_cannot_be_divided_come_back, SAE_LAYER_NORM, SAE_CONSTANT_NORM + 1);
    tcase_add_test(tests, known_rows);
    tcase_add_test(tests, codes_without_their_frames_are_not_decoded);
    tcase_add_test(tests, a_buffer_of_codes_forgets_the_frames);
    tcase_add_loop_test(tests, the_file_keeps_the_norm, SAE_LAYER_NORM, SAE_CONSTANT_NORM + 1);
    tcase_add_test(tests, another_norm_is_refused_by_name);
    tcase_add_test(tests, norms_that_cannot_be_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
