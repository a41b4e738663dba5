/* Steered dumps: rows, columns and types kept; the persona latent of the reference model pushed up and down.
 */
#include "io/reader.h"
#include "io/safetensors.h"
#include "num/convert.h"
#include "sae/steer.h"
#include "../dump/dump_files.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h" /* its parameters must not meet the context below */
#include "../tools/test_context.h"

#include <math.h>

enum { PERSONA = 1648, ROWS = 500, D = 8 };

static void setup(void)
{
    temp_folder_make();
    context_make();
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

static sae_dump *open_path(const char *path, const char *where)
{
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    sae_dump *dump;
    sae_status status = sae_dump_open(&dump, context, &path, 1, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump;
}

static float *read_rows(const sae_dump *dump)
{
    size_t n = (size_t)sae_dump_rows(dump), d = sae_dump_dim(dump);
    float *rows = malloc(n * d * sizeof *rows);
    ck_assert_int_eq(sae_dump_read(rows, dump, 0, n, &err), SAE_OK);
    return rows;
}

static double *read_column(const sae_dump *dump, const char *name)
{
    double *values = malloc((size_t)sae_dump_rows(dump) * sizeof *values);
    ck_assert_int_eq(sae_dump_read_column(values, dump, name, &err), SAE_OK);
    return values;
}

static sae_steering *adding(const sae_model *model, uint32_t latent, double strength, double mean_norm)
{
    sae_steer_options options;
    sae_steer_options_init(&options);
    options.latents = &latent;
    options.n_latents = 1;
    options.strength = strength;
    options.mean_norm = mean_norm;
    sae_steering *steering;
    ck_assert_int_eq(sae_steering_new(&steering, model, &options, &err), SAE_OK);
    return steering;
}

/* values [ROWS, D] as stored, a column "position" of halves of the row number, and a column of counts. */
static void write_dump(const char *name, hid_t stored, hid_t memory, hsize_t chunk_rows, const void *values)
{
    static double halves[ROWS];
    static uint16_t counts[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        halves[i] = (double)i / 2;
        counts[i] = (uint16_t)(i % 7);
    }
    hid_t file = h5_create(name);
    h5_put(file, "acts", stored, memory, 2, (hsize_t[]){ROWS, D}, chunk_rows, values);
    h5_put(file, "labels/half", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, (hsize_t[]){ROWS}, 0, halves);
    h5_put(file, "token_ids", H5T_STD_U16LE, H5T_NATIVE_UINT16, 1, (hsize_t[]){ROWS}, 0, counts);
    H5Fclose(file);
}

static void check_columns(const sae_dump *after, const sae_dump *before)
{
    const char *const names[] = {"labels/half", "token_ids"};
    size_t n = (size_t)sae_dump_rows(before);
    for (size_t i = 0; i < 2; i++) {
        double *a = read_column(after, names[i]), *b = read_column(before, names[i]);
        ck_assert_mem_eq(a, b, n * sizeof *a);
        free(a);
        free(b);
    }
}

/* Doubles that no float32 holds: a row that is not changed must keep them. */
START_TEST(other_rows_keep_every_bit)
{
    static double values[ROWS * D], read[ROWS * D];
    for (size_t i = 0; i < ROWS * D; i++)
        values[i] = 1.0 / (double)(i + 3);
    values[D + 1] = (double)NAN; /* row 1 is not changed */
    write_dump("in.h5", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 64, values);
    sae_model *model = toy_identity(context, D, 2);
    sae_steering *steering = adding(model, 3, 0.5, 0);
    sae_dump *dump = open_path(temp_path("in.h5"), NULL);
    sae_steer_dump_options options;
    sae_steer_dump_options_init(&options);
    options.where = "token_ids=3";
    uint64_t changed;
    const char *out = temp_path("out.h5");
    sae_status status = sae_steering_dump(&changed, steering, dump, out, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, out, &err), SAE_OK);
    const saei_array_info *array = saei_reader_find(reader, "acts");
    ck_assert_int_eq(array->dtype, SAEI_F64);
    ck_assert_int_eq(saei_reader_read_stored(read, reader, array, 0, ROWS, &err), SAE_OK);
    uint64_t expected = 0;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < D; k++) {
            bool chosen = i % 7 == 3;
            expected += chosen && k == 0;
            double wanted = values[i * D + k];
            wanted = chosen ? (double)((float)wanted + (k == 3 ? 0.5f : 0)) : wanted;
            ck_assert_mem_eq(&read[i * D + k], &wanted, sizeof wanted);
        }
    ck_assert_uint_eq(changed, expected);
    ck_assert_uint_eq(saei_reader_attributes(reader), 6);
    saei_reader_free(reader);
    sae_dump *written = open_path(out, NULL);
    check_columns(written, dump);
    ck_assert_str_eq(sae_dump_attribute(written, "steering_op"), "add");
    ck_assert_str_eq(sae_dump_attribute(written, "steering_latents"), "3");
    ck_assert_ptr_null(sae_dump_attribute(written, "hook"));
    sae_dump_free(written);
    sae_dump_free(dump);
    sae_steering_free(steering);
    sae_model_free(model);
}
END_TEST

/* Only some rows are selected, and the pieces of a shard do not fall on them. */
START_TEST(a_selection_is_written_alone)
{
    static float values[ROWS * D];
    for (size_t i = 0; i < ROWS * D; i++)
        values[i] = (float)i;
    write_dump("in.h5", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, values);
    sae_model *model = toy_identity(context, D, 2);
    sae_steering *steering = adding(model, 0, -1, 0);
    sae_dump *dump = open_path(temp_path("in.h5"), "token_ids>2");
    uint64_t changed;
    const char *out = temp_path("out.h5");
    ck_assert_int_eq(sae_steering_dump(&changed, steering, dump, out, NULL, &err), SAE_OK);
    sae_dump *written = open_path(out, NULL);
    ck_assert_uint_eq(sae_dump_rows(written), sae_dump_rows(dump));
    ck_assert_uint_eq(changed, sae_dump_rows(dump));
    check_columns(written, dump);
    float *before = read_rows(dump), *after = read_rows(written);
    for (size_t i = 0; i < changed * D; i++)
        ck_assert(after[i] == before[i] - (i % D == 0 ? 1 : 0));
    free(before);
    free(after);
    sae_dump_free(written);
    sae_dump_free(dump);
    sae_steering_free(steering);
    sae_model_free(model);
}
END_TEST

START_TEST(halves_round_and_overflow_is_an_error)
{
    static float values[ROWS * D], read[ROWS * D];
    static uint16_t halves[ROWS * D];
    for (size_t i = 0; i < ROWS * D; i++)
        values[i] = (float)(i % 100) / 4;
    saei_f32_to_f16(halves, values, ROWS * D);
    char header[] = "(500, 8)";
    write_npy("half.npy", "<f2", header, halves, sizeof halves);
    sae_model *model = toy_identity(context, D, 2);
    sae_dump *dump = open_path(temp_path("half.npy"), NULL);
    sae_steering *steering = adding(model, 1, 2048.3, 0);
    const char *out = temp_path("out.npy");
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, NULL, &err), SAE_OK);
    sae_dump *written = open_path(out, NULL);
    ck_assert_int_eq(sae_dump_read(read, written, 0, ROWS, &err), SAE_OK);
    for (size_t i = 0; i < ROWS * D; i++) { /* halves from 2048 on are even numbers */
        double exact = (double)values[i] + 2048.3;
        double wanted = i % D == 1 ? 2 * nearbyint(exact / 2) : (double)values[i];
        ck_assert((double)read[i] == wanted);
    }
    sae_dump_free(written);
    sae_steering_free(steering);
    unlink(out);
    steering = adding(model, 1, 70000, 0);
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, NULL, &err), SAE_E_NONFINITE);
    ck_assert_ptr_nonnull(strstr(err.text, "float16"));
    ck_assert_ptr_nonnull(strstr(err.text, "row 0"));
    ck_assert_int_eq(access(out, F_OK), -1);
    ck_assert_int_eq(temp_folder_entries(), 1);
    sae_steering_free(steering);
    sae_dump_free(dump);
    sae_model_free(model);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    static float values[ROWS * D];
    values[9] = NAN;
    write_dump("in.h5", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, values);
    sae_model *model = toy_identity(context, D, 2), *wide = toy_identity(context, D + 1, 2);
    sae_steering *steering = adding(model, 0, 1, 0), *wider = adding(wide, 0, 1, 0);
    sae_dump *dump = open_path(temp_path("in.h5"), NULL);
    const char *out = temp_path("out.h5");
    sae_steer_dump_options options;
    sae_steer_dump_options_init(&options);
    ck_assert_int_eq(sae_steering_dump(NULL, wider, dump, out, NULL, &err), SAE_E_MISMATCH);
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, NULL, &err), SAE_E_NONFINITE);
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, temp_path("out.txt"), NULL, &err),
                     SAE_E_ARGUMENT);
    options.where = "token_ids=99";
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, &options, &err), SAE_E_ARGUMENT);
    options.where = "nothing=1";
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, &options, &err), SAE_E_NOT_FOUND);
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, temp_path("in.h5"), NULL, &err), SAE_E_EXISTS);
    ck_assert_int_eq(temp_folder_entries(), 1);
    sae_dump_free(dump);
    sae_steering_free(steering);
    sae_steering_free(wider);
    sae_model_free(model);
    sae_model_free(wide);
}
END_TEST

static double mean_activation(const sae_model *model, const sae_dump *dump)
{
    sae_codes *codes;
    size_t n = (size_t)sae_dump_rows(dump), d = sae_dump_dim(dump);
    float *rows = read_rows(dump);
    double sum = 0;
    ck_assert_int_eq(sae_codes_new(&codes, context, &err), SAE_OK);
    ck_assert_int_eq(sae_model_encode(codes, model, (sae_view){rows, n, d, d}, &err), SAE_OK);
    sae_codes_view view = sae_codes_get(codes);
    for (uint64_t i = 0; i < view.row_ptr[n]; i++)
        sum += view.latent[i] == PERSONA ? (double)view.value[i] : 0;
    sae_codes_free(codes);
    free(rows);
    return sum / (double)n;
}

static double steered_activation(const sae_model *model, const sae_dump *dump, double strength,
                                 double mean_norm)
{
    sae_steering *steering = adding(model, PERSONA, strength, mean_norm);
    const char *out = temp_path("steered.h5");
    sae_steer_dump_options options;
    sae_steer_dump_options_init(&options);
    options.overwrite = true;
    ck_assert_int_eq(sae_steering_dump(NULL, steering, dump, out, &options, &err), SAE_OK);
    sae_dump *written = open_path(out, NULL);
    ck_assert_str_eq(sae_dump_attribute(written, "hook"), "blocks.1.hook_resid_post");
    double activation = mean_activation(model, written);
    sae_dump_free(written);
    sae_steering_free(steering);
    return activation;
}

START_TEST(persona_rises_and_falls_with_the_strength)
{
    const uint32_t persona = PERSONA;
    sae_model *model;
    ck_assert_int_eq(
        sae_model_load(&model, context, SOURCE_ROOT "/tests/fixtures/reference/sae_ref.safetensors", &err),
        SAE_OK);
    sae_dump *base = open_path(SOURCE_ROOT "/data/eval_base.h5", NULL);
    sae_dump *bad = open_path(SOURCE_ROOT "/data/eval_dose100.h5", NULL);
    sae_steer_options options;
    sae_steer_options_init(&options);
    options.latents = &persona;
    options.n_latents = 1;
    sae_steer_scale scale;
    ck_assert_int_eq(sae_steer_measure(&scale, model, bad, &options, NULL, NULL, &err), SAE_OK);
    ck_assert(scale.typical > 0 && scale.typical < 1);
    double before = mean_activation(model, base), last = before;
    for (int i = 1; i <= 3; i++) {
        double risen = steered_activation(model, base, i * scale.typical, scale.mean_norm);
        ck_assert_msg(risen > last + 0.1, "strength %d: %g after %g", i, risen, last);
        last = risen;
    }
    double high = mean_activation(model, bad);
    double fallen = steered_activation(model, bad, -scale.typical, scale.mean_norm);
    ck_assert_msg(fallen < 0.5 * high, "%g, from %g", fallen, high);
    sae_dump_free(base);
    sae_dump_free(bad);
    sae_model_free(model);
}
END_TEST

START_TEST(vector_file_has_what_a_hook_needs)
{
    static float values[ROWS * D];
    for (size_t i = 0; i < ROWS * D; i++)
        values[i] = 1;
    sae_model *model = toy_identity(context, D, 2);
    sae_dump *dump = toy_dump(context, values, ROWS, D, NULL);
    const uint32_t set[2] = {3, 5};
    sae_steer_options options;
    sae_steer_options_init(&options);
    options.op = SAE_STEER_PROJECT_OUT;
    options.latents = set;
    options.n_latents = 2;
    options.mean_norm = 4;
    sae_steering *steering;
    const sae_steer_scale scale = {.mean_norm = 4, .typical = 0.25, .largest = (double)NAN};
    ck_assert_int_eq(sae_steering_new(&steering, model, &options, &err), SAE_OK);
    const char *path = temp_path("v.safetensors");
    ck_assert_int_eq(sae_steering_save(steering, &scale, dump, path, false, &err), SAE_OK);
    ck_assert_int_eq(sae_steering_save(steering, &scale, dump, path, false, &err), SAE_E_EXISTS);
    saei_safetensors *file;
    ck_assert_int_eq(saei_safetensors_open(&file, context, path, &err), SAE_OK);
    float direction[D], basis[2 * D];
    ck_assert_int_eq(
        saei_safetensors_read_f32(direction, file, saei_safetensors_find(file, "direction"), &err), SAE_OK);
    ck_assert_int_eq(saei_safetensors_read_f32(basis, file, saei_safetensors_find(file, "basis"), &err),
                     SAE_OK);
    for (size_t k = 0; k < D; k++) {
        ck_assert(fabsf(direction[k] - (k == 3 || k == 5 ? sqrtf(0.5f) : 0)) <= 1e-7f);
        ck_assert(basis[k] == (k == 3) && basis[D + k] == (k == 5));
    }
    ck_assert_str_eq(saei_safetensors_metadata(file, "steering_op"), "project-out");
    ck_assert_str_eq(saei_safetensors_metadata(file, "steering_latents"), "3,5");
    ck_assert_str_eq(saei_safetensors_metadata(file, "steering_mean_norm"), "4");
    ck_assert_str_eq(saei_safetensors_metadata(file, "recommended_strength"), "0.25");
    ck_assert_ptr_null(saei_safetensors_metadata(file, "largest_strength"));
    ck_assert_ptr_null(saei_safetensors_metadata(file, "hook"));
    saei_safetensors_free(file);
    sae_steering_free(steering);
    sae_dump_free(dump);
    sae_model_free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steered dump");
    TCase *tests = tcase_create("steered dump");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, other_rows_keep_every_bit);
    tcase_add_test(tests, a_selection_is_written_alone);
    tcase_add_test(tests, halves_round_and_overflow_is_an_error);
    tcase_add_test(tests, what_cannot_be_written_is_refused);
    tcase_add_test(tests, persona_rises_and_falls_with_the_strength);
    tcase_add_test(tests, vector_file_has_what_a_hook_needs);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
