#include "io/scratch.h"
#include "io/bucket_file.h"
#include "temp_folder.h"
#include "../tools/run_suite.h"

#include "sae/base.h"

static sae_context *context;
static sae_error err;

static sae_context *context_of(uint64_t limit)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = limit;
    ck_assert_int_eq(sae_context_new(&context, &options, &err), SAE_OK);
    return context;
}

static void set_up(void)
{
    temp_folder_make();
    ck_assert_int_eq(setenv("TMPDIR", temp_folder, 1), 0);
    context_of(1 << 20);
}

static void tear_down(void)
{
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    ck_assert_int_eq(temp_folder_entries(), 0);
    temp_folder_remove();
}

static void fill_and_check(uint32_t *block, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(block[i], 0);
    for (size_t i = 0; i < n; i++)
        block[i] = (uint32_t)i * 7;
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(block[i], (uint32_t)i * 7);
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
}

START_TEST(half_of_the_limit_is_memory)
{
    uint32_t *in_memory, *in_file;
    ck_assert_int_eq(saei_scratch_alloc(&in_memory, context, 100000, sizeof *in_memory, &err), SAE_OK);
    uint64_t used = sae_context_memory_used(context);
    ck_assert_uint_ge(used, 400000);
    ck_assert_int_eq(saei_scratch_alloc(&in_file, context, 100000, sizeof *in_file, &err), SAE_OK);
    ck_assert_uint_eq(sae_context_memory_used(context), used);
    fill_and_check(in_memory, 100000);
    fill_and_check(in_file, 100000);
    saei_scratch_free(context, in_file);
    saei_scratch_free(context, in_memory);
    saei_scratch_free(context, NULL);
}
END_TEST

START_TEST(an_array_may_exceed_the_limit)
{
    uint32_t *block;
    ck_assert_int_eq(saei_scratch_alloc(&block, context, 1 << 20, sizeof *block, &err), SAE_OK);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    fill_and_check(block, 1 << 20);
    saei_scratch_free(context, block);
    ck_assert_int_eq(saei_scratch_alloc(&block, context, 0, sizeof *block, &err), SAE_OK);
    ck_assert_ptr_nonnull(block);
    saei_scratch_free(context, block);
}
END_TEST

START_TEST(without_a_folder_or_room_it_says_so)
{
    uint32_t *block = (uint32_t *)&err;
    ck_assert_int_eq(saei_scratch_alloc(&block, context, (size_t)1 << 58, sizeof *block, &err), SAE_E_IO);
    ck_assert_ptr_null(block);
    ck_assert_ptr_nonnull(strstr(err.text, temp_folder));
    ck_assert_int_ne(saei_scratch_alloc(&block, context, SIZE_MAX, sizeof *block, &err), SAE_OK);
    ck_assert_ptr_null(block);
    ck_assert_int_eq(setenv("TMPDIR", temp_path("missing"), 1), 0);
    ck_assert_int_eq(saei_scratch_alloc(&block, context, 1 << 20, sizeof *block, &err), SAE_E_NOT_FOUND);
    ck_assert_ptr_null(block);
    ck_assert_ptr_nonnull(strstr(err.text, "TMPDIR"));
    ck_assert_ptr_nonnull(strstr(err.text, "missing"));
}
END_TEST

START_TEST(a_bucket_is_read_in_the_order_of_writing)
{
    saei_bucket_file *file;
    enum { BUCKETS = 3, EXTENT = 4, RECORDS = 50 };
    ck_assert_int_eq(saei_bucket_file_new(&file, context, NULL, BUCKETS, sizeof(uint32_t), EXTENT, &err),
                     SAE_OK);
    for (uint32_t i = 0; i < RECORDS; i++) {
        unsigned char *record;
        ck_assert_int_eq(saei_bucket_file_add(&record, file, i * i % BUCKETS, &err), SAE_OK);
        memcpy(record, &i, sizeof i);
    }
    ck_assert_int_eq(saei_bucket_file_flush(file, &err), SAE_OK);
    uint32_t seen = 0;
    for (uint32_t b = 0; b < BUCKETS; b++) {
        uint32_t records[RECORDS], n = (uint32_t)saei_bucket_file_count(file, b), last = 0;
        ck_assert_int_eq(saei_bucket_file_read((unsigned char *)records, file, b, &err), SAE_OK);
        for (uint32_t i = 0; i < n; i++) {
            ck_assert_uint_eq(records[i] * records[i] % BUCKETS, b);
            ck_assert(i == 0 || records[i] > last);
            last = records[i];
        }
        seen += n;
    }
    ck_assert_uint_eq(seen, RECORDS);
    saei_bucket_file_free(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scratch");
    TCase *tests = tcase_create("scratch");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, half_of_the_limit_is_memory);
    tcase_add_test(tests, an_array_may_exceed_the_limit);
    tcase_add_test(tests, without_a_folder_or_room_it_says_so);
    tcase_add_test(tests, a_bucket_is_read_in_the_order_of_writing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
