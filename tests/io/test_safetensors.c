#include "io/safetensors.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <stdint.h>

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

static const float weights[6] = {1, -2, 3.5f, 0, -0.0f, 1e30f};
static const double wide[2] = {0.1, -7};
static const uint8_t flags[3] = {1, 0, 255};
static const saei_tensor_out tensors[] = {
    {.name = "flags", .dtype = SAEI_U8, .rank = 1, .shape = {3}, .data = flags},
    {.name = "b/weights", .dtype = SAEI_F32, .rank = 2, .shape = {2, 3}, .data = weights},
    {.name = "scalar", .dtype = SAEI_F64, .data = wide},
    {.name = "empty", .dtype = SAEI_F32, .rank = 2, .shape = {0, 5}},
    {.name = "a", .dtype = SAEI_F64, .rank = 1, .shape = {2}, .data = wide},
};
static const saei_metadata metadata[] = {{"z", "line\nwith \"quotes\" and é"}, {"k", "32"}};

START_TEST(round_trip)
{
    ck_assert_int_eq(
        saei_safetensors_save(context, temp_path("a"), SAEI_KEEP_EXISTING, tensors, 5, metadata, 2, &err),
        SAE_OK);
    saei_safetensors *file;
    ck_assert_int_eq(saei_safetensors_open(&file, context, temp_path("a"), &err), SAE_OK);
    ck_assert_uint_eq(saei_safetensors_count(file), 5);
    const saei_tensor_info *info = saei_safetensors_find(file, "b/weights");
    ck_assert_ptr_nonnull(info);
    ck_assert_int_eq(info->dtype, SAEI_F32);
    ck_assert_uint_eq(info->rank, 2);
    ck_assert_uint_eq(info->shape[1], 3);
    float got[6];
    ck_assert_int_eq(saei_safetensors_read_f32(got, file, info, &err), SAE_OK);
    ck_assert_mem_eq(got, weights, sizeof weights);
    ck_assert_int_eq(saei_safetensors_read_raw(got, file, info, 20, &err), SAE_E_ARGUMENT);
    info = saei_safetensors_find(file, "flags");
    ck_assert_int_eq(saei_safetensors_read_f32(got, file, info, &err), SAE_OK);
    ck_assert(got[0] == 1 && got[1] == 0 && got[2] == 255);
    info = saei_safetensors_find(file, "scalar");
    ck_assert_uint_eq(info->elements, 1);
    double value;
    ck_assert_int_eq(saei_safetensors_read_raw(&value, file, info, 8, &err), SAE_OK);
    ck_assert(value == 0.1);
    ck_assert_uint_eq(saei_safetensors_find(file, "empty")->elements, 0);
    ck_assert_ptr_null(saei_safetensors_find(file, "weights"));
    ck_assert_uint_eq(saei_safetensors_metadata_count(file), 2);
    ck_assert_str_eq(saei_safetensors_metadata(file, "z"), metadata[0].value);
    ck_assert_str_eq(saei_safetensors_metadata_key(file, 0), "k");
    ck_assert_ptr_null(saei_safetensors_metadata(file, "absent"));
    saei_safetensors_free(file);
}
END_TEST

START_TEST(bytes_do_not_depend_on_the_order)
{
    saei_tensor_out turned[5];
    for (int i = 0; i < 5; i++)
        turned[i] = tensors[4 - i];
    const saei_metadata turned_metadata[] = {metadata[1], metadata[0]};
    const char *a = temp_path("a"), *b = temp_path("b");
    ck_assert_int_eq(saei_safetensors_save(context, a, SAEI_OVERWRITE, tensors, 5, metadata, 2, &err),
                     SAE_OK);
    ck_assert_int_eq(saei_safetensors_save(context, b, SAEI_OVERWRITE, turned, 5, turned_metadata, 2, &err),
                     SAE_OK);
    size_t n, m;
    char *x = temp_read(a, &n), *y = temp_read(b, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    ck_assert_uint_eq((unsigned char)x[0] % 8, 0);
    free(x);
    free(y);
}
END_TEST

/* Sizes on both sides of a band of rows and of a block of columns. */
START_TEST(a_transposed_matrix_is_the_same_file)
{
    enum { ROWS = 37, COLS = 50 };
    float matrix[ROWS * COLS], turned[COLS * ROWS], got[COLS * ROWS];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLS; c++)
            turned[c * ROWS + r] = matrix[r * COLS + c] = (float)(r * COLS + c);
    const saei_tensor_out plain = {
        .name = "m", .dtype = SAEI_F32, .rank = 2, .shape = {ROWS, COLS}, .data = matrix};
    saei_tensor_out transposed = plain;
    transposed.data = turned;
    transposed.transposed = true;
    const char *a = temp_path("a"), *b = temp_path("b");
    ck_assert_int_eq(saei_safetensors_save(context, a, SAEI_OVERWRITE, &plain, 1, NULL, 0, &err), SAE_OK);
    ck_assert_int_eq(saei_safetensors_save(context, b, SAEI_OVERWRITE, &transposed, 1, NULL, 0, &err),
                     SAE_OK);
    size_t n, m;
    char *x = temp_read(a, &n), *y = temp_read(b, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    free(x);
    free(y);
    saei_safetensors *file;
    ck_assert_int_eq(saei_safetensors_open(&file, context, b, &err), SAE_OK);
    ck_assert_int_eq(saei_safetensors_read_transposed(got, file, saei_safetensors_find(file, "m"), &err),
                     SAE_OK);
    ck_assert_mem_eq(got, turned, sizeof got);
    saei_safetensors_free(file);
}
END_TEST

START_TEST(names_must_differ)
{
    const saei_tensor_out twice[] = {tensors[0], tensors[0]};
    const saei_metadata twice_metadata[] = {metadata[0], metadata[0]};
    ck_assert_int_eq(saei_safetensors_save(context, temp_path("a"), SAEI_OVERWRITE, twice, 2, NULL, 0, &err),
                     SAE_E_ARGUMENT);
    ck_assert_int_eq(
        saei_safetensors_save(context, temp_path("a"), SAEI_OVERWRITE, tensors, 1, twice_metadata, 2, &err),
        SAE_E_ARGUMENT);
    ck_assert_int_eq(temp_folder_entries(), 0);
}
END_TEST

static sae_status open_header(const char *header, size_t data_bytes)
{
    char bytes[4096] = {0};
    uint64_t length = strlen(header);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    temp_write(temp_path("a"), bytes, 8 + length + data_bytes);
    saei_safetensors *file;
    sae_status status = saei_safetensors_open(&file, context, temp_path("a"), &err);
    ck_assert(status == SAE_OK || strstr(err.text, temp_path("a")) != NULL);
    ck_assert((status == SAE_OK) == (file != NULL));
    saei_safetensors_free(file);
    return status;
}

START_TEST(hostile_headers)
{
#define X(shape, offsets) "{\"x\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    ck_assert_int_eq(open_header(X("[2]", "[0,8]"), 8), SAE_OK);
    ck_assert_int_eq(open_header("{}   ", 0), SAE_OK);
    ck_assert_int_eq(open_header(X("[2]", "[0,8]"), 9), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[2]", "[0,8]"), 7), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[2]", "[8,0]"), 8), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[2]", "[0,8,8]"), 8), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[2]", "[0,8.0]"), 8), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[-2]", "[0,8]"), 8), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[4611686018427387906]", "[0,8]"), 8), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[4294967296,4294967296]", "[0,0]"), 0), SAE_E_FORMAT);
    ck_assert_int_eq(open_header(X("[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8), SAE_E_UNSUPPORTED);
    ck_assert_int_eq(open_header("{\"x\":3}", 0), SAE_E_FORMAT);
    ck_assert_int_eq(open_header("{\"__metadata__\":{\"a\":1}}", 0), SAE_E_FORMAT);
    ck_assert_int_eq(open_header("[]", 0), SAE_E_FORMAT);
    ck_assert_int_eq(open_header("{\"a\":", 0), SAE_E_FORMAT);
    ck_assert_int_eq(open_header("", 0), SAE_E_FORMAT);
    char deep[3001];
    memset(deep, '[', 3000);
    deep[3000] = '\0';
    ck_assert_int_eq(open_header(deep, 0), SAE_E_FORMAT);
}
END_TEST

/* Every prefix of a good file is refused. */
START_TEST(cut_off)
{
    ck_assert_int_eq(
        saei_safetensors_save(context, temp_path("a"), SAEI_OVERWRITE, tensors, 5, metadata, 2, &err),
        SAE_OK);
    size_t n;
    char *bytes = temp_read(temp_path("a"), &n);
    for (size_t cut = 0; cut < n; cut++) {
        temp_write(temp_path("b"), bytes, cut);
        saei_safetensors *file;
        ck_assert_int_eq(saei_safetensors_open(&file, context, temp_path("b"), &err), SAE_E_FORMAT);
    }
    free(bytes);
}
END_TEST

START_TEST(header_within_the_memory_limit)
{
    sae_context_options opt;
    sae_context_options_init(&opt);
    opt.memory_limit = 10000;
    sae_context *small;
    ck_assert_int_eq(sae_context_new(&small, &opt, NULL), SAE_OK);
    char bytes[1008];
    memset(bytes, ' ', sizeof bytes);
    uint64_t length = 1000;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, "{}", 2);
    temp_write(temp_path("a"), bytes, sizeof bytes);
    saei_safetensors *file;
    ck_assert_int_eq(saei_safetensors_open(&file, small, temp_path("a"), &err), SAE_E_MEMORY);
    ck_assert_uint_eq(sae_context_memory_used(small), 0);
    sae_context_free(small);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, bytes_do_not_depend_on_the_order);
    tcase_add_test(tests, a_transposed_matrix_is_the_same_file);
    tcase_add_test(tests, names_must_differ);
    tcase_add_test(tests, hostile_headers);
    tcase_add_test(tests, cut_off);
    tcase_add_test(tests, header_within_the_memory_limit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
