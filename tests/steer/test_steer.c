#include "io/reader.h"
#include "sae/steer.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(direction_is_the_decoder_row)
{
    const float W[6] = {0}, b[3] = {0}, W_dec[6] = {3, 4, 0, 0, 1, -1};
    sae_context *context = toy_context(1);
    sae_params params = {.d = 2, .n_latents = 3, .k = 1, .W_enc = W, .b_enc = b, .W_dec = W_dec, .b_dec = b};
    sae_model *model;
    ck_assert_int_eq(sae_model_new(&model, context, &params, NULL), SAE_OK);
    float out[2];
    ck_assert_int_eq(sae_model_direction(out, model, 0, false, NULL), SAE_OK);
    ck_assert(out[0] == 3 && out[1] == 4);
    ck_assert_int_eq(sae_model_direction(out, model, 0, true, NULL), SAE_OK);
    ck_assert(out[0] == 0.6f && out[1] == 0.8f);
    sae_error err;
    ck_assert_int_eq(sae_model_direction(out, model, 1, true, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_model_direction(out, model, 1, false, &err), SAE_OK);
    ck_assert_int_eq(sae_model_direction(out, model, 3, false, &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "0 to 2"));
    sae_model_free(model);
    sae_context_free(context);
}
END_TEST

START_TEST(vector_is_a_npy)
{
    const float values[3] = {1.5f, -2, 1e-30f};
    float read[3];
    unsigned char bytes[256];
    sae_context *context = toy_context(1);
    char folder[] = "/tmp/sae_steer_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.npy", folder);
    ck_assert_int_eq(sae_vector_save(values, 3, context, path, false, NULL), SAE_OK);
    ck_assert_int_eq(sae_vector_save(values, 1, context, path, false, NULL), SAE_E_EXISTS);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, path, NULL), SAE_OK);
    const saei_array_info *array = saei_reader_at(reader, 0);
    ck_assert_uint_eq(array->rank, 1);
    ck_assert_uint_eq(array->shape[0], 3);
    ck_assert_int_eq(array->dtype, SAEI_F32);
    ck_assert_int_eq(saei_reader_read_f32(read, reader, array, 0, 3, NULL), SAE_OK);
    ck_assert_mem_eq(read, values, sizeof values);
    saei_reader_free(reader);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, file), 128 + sizeof values);
    fclose(file);
    ck_assert_int_eq(bytes[127], '\n');
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steer");
    TCase *tests = tcase_create("steer");
    tcase_add_test(tests, direction_is_the_decoder_row);
    tcase_add_test(tests, vector_is_a_npy);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
