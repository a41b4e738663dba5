/* The description of files, and files of other kinds that are given as dumps. */
#include "dump_files.h"
#include "io/safetensors.h"
#include "sae/dump.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <zlib.h>

static float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static void setup(void)
{
    context_make();
    temp_folder_make();
}

static void teardown(void)
{
    temp_folder_remove();
    context_end();
}

static sae_file *describe(const char *name)
{
    sae_file *file;
    ck_assert_msg(sae_file_open(&file, context, temp_path(name), &err) == SAE_OK, "%s", err.text);
    return file;
}

static void refused_as_dump(const char *name, const char *reason)
{
    const char *path = temp_path(name);
    sae_dump *dump = (sae_dump *)1;
    ck_assert_int_eq(sae_dump_open(&dump, context, &path, 1, NULL, &err), SAE_E_MISMATCH);
    ck_assert_ptr_null(dump);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

START_TEST(describes_a_npy)
{
    write_npy("x.npy", "<f4", "(3, 4)", values, sizeof values);
    sae_file *file = describe("x.npy");
    ck_assert_str_eq(sae_file_format(file), "npy");
    ck_assert_str_eq(sae_file_role(file), "dump");
    ck_assert_uint_eq(sae_file_bytes(file), 128 + sizeof values);
    ck_assert_uint_eq(sae_file_tensors(file), 1);
    ck_assert_str_eq(sae_file_tensor_name(file, 0), "");
    ck_assert_str_eq(sae_file_tensor_dtype(file, 0), "float32");
    ck_assert_uint_eq(sae_file_tensor_rank(file, 0), 2);
    ck_assert_uint_eq(sae_file_tensor_extent(file, 0, 0), 3);
    ck_assert_uint_eq(sae_file_tensor_extent(file, 0, 1), 4);
    ck_assert_uint_eq(sae_file_tensor_extent(file, 0, 2), 0);
    uint32_t crc;
    ck_assert_int_eq(sae_file_tensor_crc32(&crc, file, 0, &err), SAE_OK);
    ck_assert_uint_eq(crc, crc32(0, (const Bytef *)values, sizeof values));
    ck_assert_int_eq(sae_file_check_rest(file, &err), SAE_OK);
    ck_assert_int_eq(sae_file_tensor_crc32(&crc, file, 1, &err), SAE_E_ARGUMENT);
    ck_assert_ptr_null(sae_file_tensor_name(file, 1));
    ck_assert_ptr_null(sae_file_tensor_dtype(file, 1));
    ck_assert_uint_eq(sae_file_tensor_rank(file, 1), 0);
    ck_assert_uint_eq(sae_file_tensor_extent(file, 1, 0), 0);
    ck_assert_uint_eq(sae_file_attributes(file), 0);
    ck_assert_ptr_null(sae_file_attribute_name(file, 0));
    ck_assert_ptr_null(sae_file_attribute_value(file, 0));
    sae_file_free(file);
    sae_file_free(NULL);
}
END_TEST

static void write_tensors(const char *name, const char *format)
{
    const saei_tensor_out tensors[] = {
        {.name = "W_enc", .dtype = SAEI_F32, .rank = 2, .shape = {3, 4}, .data = values},
        {.name = "W_dec", .dtype = SAEI_F32, .rank = 2, .shape = {4, 3}, .data = values},
    };
    const saei_metadata metadata[] = {{"format", format}, {"seed", "7"}};
    ck_assert_int_eq(
        saei_safetensors_save(context, temp_path(name), SAEI_KEEP_EXISTING, tensors, 2, metadata, 2, &err),
        SAE_OK);
}

START_TEST(tells_models_from_checkpoints)
{
    write_tensors("model.safetensors", "libsae-model");
    sae_file *file = describe("model.safetensors");
    ck_assert_str_eq(sae_file_format(file), "safetensors");
    ck_assert_str_eq(sae_file_role(file), "model");
    ck_assert_uint_eq(sae_file_attributes(file), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(sae_file_attribute_value(file, i),
                         strcmp(sae_file_attribute_name(file, i), "seed") == 0 ? "7" : "libsae-model");
    sae_file_free(file);
    refused_as_dump("model.safetensors", "model.safetensors: is a model, not a dump of activations");

    write_tensors("foreign.safetensors", "pt");
    file = describe("foreign.safetensors");
    ck_assert_str_eq(sae_file_role(file), "model");
    sae_file_free(file);

    write_tensors("run.safetensors", "libsae-checkpoint");
    file = describe("run.safetensors");
    ck_assert_str_eq(sae_file_role(file), "checkpoint");
    sae_file_free(file);
    refused_as_dump("run.safetensors", "is a checkpoint, not a dump of activations");
}
END_TEST

START_TEST(tells_codes_and_arrays)
{
    const hsize_t shape[] = {12};
    hid_t h5 = h5_create("codes.h5");
    h5_put(h5, "row_ptr", H5T_STD_U64LE, H5T_NATIVE_FLOAT, 1, shape, 0, values);
    h5_put(h5, "latent", H5T_STD_U32LE, H5T_NATIVE_FLOAT, 1, shape, 0, values);
    h5_put(h5, "value", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, shape, 0, values);
    H5Fclose(h5);
    sae_file *file = describe("codes.h5");
    ck_assert_str_eq(sae_file_format(file), "HDF5");
    ck_assert_str_eq(sae_file_role(file), "codes");
    ck_assert_uint_eq(sae_file_tensors(file), 3);
    sae_file_free(file);
    refused_as_dump("codes.h5", "holds the sparse codes of a model, not a dump of activations");

    h5 = h5_create("arrays.h5");
    h5_put(h5, "loss", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, shape, 0, values);
    H5Fclose(h5);
    file = describe("arrays.h5");
    ck_assert_str_eq(sae_file_role(file), "arrays");
    sae_file_free(file);
}
END_TEST

START_TEST(names_what_it_cannot_open)
{
    sae_file *file = (sae_file *)1;
    ck_assert_int_eq(sae_file_open(&file, context, temp_path("absent.h5"), &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_null(file);
    ck_assert_ptr_nonnull(strstr(err.text, "absent.h5"));
    temp_write(temp_path("notes.txt"), "some notes about a dump\n", 24);
    ck_assert_int_ne(sae_file_open(&file, context, temp_path("notes.txt"), &err), SAE_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "notes.txt"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("description");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, describes_a_npy);
    tcase_add_test(tests, tells_models_from_checkpoints);
    tcase_add_test(tests, tells_codes_and_arrays);
    tcase_add_test(tests, names_what_it_cannot_open);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
