/* The same rows as stores of raw shards and as folders of chunks with padding; folders that are refused. */
#include "dump/dump.h"
#include "dump/sources.h"
#include "dump_files.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <stdlib.h>

#define FIXTURES SOURCE_ROOT "/tests/dump/fixtures/"
enum { ROWS = 90, D = 4 };

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

static const struct {
    const char *path;
    bool is_store;
    int positions; /* of the chunks */
} cases[] = {
    {FIXTURES "store_bf16/layer_3_out", true, 0},
    {FIXTURES "store_f2/layer_3_out/", true, 0},
    {FIXTURES "chunks_pt", false, 4},
    {FIXTURES "chunks_safetensors", false, 40},
    {FIXTURES "chunks_pt/*.pt", false, 4},
    {FIXTURES "store_bf16/layer_3_out/*.memmap", false, 0},
};

enum { N_CASES = sizeof cases / sizeof *cases };

static void assert_column(const sae_dump *dump, const char *name, double (*wanted)(int row, int positions),
                          int positions)
{
    double values[ROWS];
    ck_assert_msg(sae_dump_read_column(values, dump, name, &err) == SAE_OK, "%s", err.text);
    for (int i = 0; i < ROWS; i++)
        ck_assert_msg(values[i] == wanted(i, positions), "%s of row %d is %g", name, i, values[i]);
}

static double token(int row, int positions)
{
    (void)positions;
    return 1000 + 3 * row;
}

static double sequence(int row, int positions)
{
    return row / positions;
}

static double position(int row, int positions)
{
    return row % positions;
}

/* make_container_fixtures.py: sequence 1 is empty. */
static const int starts[] = {0, 7, 7, 40, 64, ROWS};

static double prompt(int row, int positions)
{
    (void)positions;
    return row < 7 ? 0 : row < 40 ? 2 : row < 64 ? 3 : 4;
}

static double in_prompt(int row, int positions)
{
    return row - starts[(int)prompt(row, positions)];
}

START_TEST(same_rows_and_columns)
{
    sae_dump *dump;
    ck_assert_msg(sae_dump_open(&dump, context, &cases[_i].path, 1, NULL, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(sae_dump_rows(dump), ROWS);
    ck_assert_uint_eq(sae_dump_dim(dump), D);
    float rows[ROWS * D];
    ck_assert_int_eq(sae_dump_read(rows, dump, 0, ROWS, &err), SAE_OK);
    for (int i = 0; i < ROWS; i++) {
        const float wanted[D] = {(float)i, (float)(2 * i), (float)-i, 0.5f};
        ck_assert_msg(memcmp(wanted, rows + i * D, sizeof wanted) == 0, "row %d", i);
    }
    int positions = cases[_i].positions;
    if (cases[_i].is_store || positions > 0)
        assert_column(dump, "token_ids", token, 0);
    if (positions > 0) {
        assert_column(dump, "sequence", sequence, positions);
        assert_column(dump, "position", position, positions);
    }
    if (cases[_i].is_store) {
        assert_column(dump, "prompt_id", prompt, 0);
        assert_column(dump, "position", in_prompt, 0);
    }
    sae_dump_free(dump);
}
END_TEST

/* Prompts of a second store are other prompts; its tokens begin anew. */
START_TEST(two_stores)
{
    const char *paths[] = {cases[0].path, cases[1].path};
    double values[2 * ROWS], tokens[2 * ROWS];
    sae_dump *dump;
    ck_assert_msg(sae_dump_open(&dump, context, paths, 2, NULL, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(sae_dump_rows(dump), 2 * ROWS);
    ck_assert_int_eq(sae_dump_read_column(values, dump, "prompt_id", &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read_column(tokens, dump, "token_ids", &err), SAE_OK);
    for (int i = 0; i < ROWS; i++) {
        ck_assert(values[ROWS + i] == prompt(i, 0) + 5);
        ck_assert(tokens[ROWS + i] == token(i, 0));
    }
    sae_dump_free(dump);
}
END_TEST

/* A condition and the mask hold together. */
START_TEST(condition_beside_the_mask)
{
    sae_dump_options opt;
    sae_dump_options_init(&opt);
    opt.where = "position=1";
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_open(&dump, context, &cases[3].path, 1, &opt, &err), SAE_OK);
    ck_assert_uint_eq(sae_dump_rows(dump), 3);
    sae_dump_free(dump);
    opt.where = "mask=0";
    ck_assert_int_eq(sae_dump_open(&dump, context, &cases[3].path, 1, &opt, &err), SAE_E_ARGUMENT);
}
END_TEST

static void assert_refused(const char *path, sae_status wanted, const char *reason)
{
    sae_dump *dump;
    sae_status status = sae_dump_open(&dump, context, &path, 1, NULL, &err);
    ck_assert_msg(status == wanted, "%s: status %d: %s", path, status,
                  status != SAE_OK ? err.text : "opened");
    ck_assert_ptr_null(dump);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

static void write_text(const char *name, const char *text)
{
    temp_write(temp_path(name), text, strlen(text));
}

START_TEST(refused)
{
    static const float rows[24];
    assert_refused(temp_folder, SAE_E_NOT_FOUND, "a folder without dumps");
    assert_refused(temp_path("*.npy"), SAE_E_NOT_FOUND, "finds no file");
    assert_refused("/*/*/*.npy", SAE_E_UNSUPPORTED, "not of folders");
    temp_write(temp_path("part.bin"), rows, sizeof rows);
    assert_refused(temp_folder, SAE_E_FORMAT, "not an HDF5"); /* no side file */
    write_text("part.json", "{\"shape\": [6, 4], \"dtype\": \"complex64\"}");
    assert_refused(temp_folder, SAE_E_UNSUPPORTED, "complex64");
    write_text("part.json", "{\"shape\": [6, 5], \"dtype\": \"<f4\"}");
    assert_refused(temp_folder, SAE_E_FORMAT, "has 96 bytes, but its shape");
    write_text("part.json", "{\"shape\": [6, -4], \"dtype\": \"<f4\"}");
    assert_refused(temp_folder, SAE_E_FORMAT, "impossible");
    write_text("part.json", "{\"shape\": [6, 4]}");
    assert_refused(temp_folder, SAE_E_FORMAT, "dtype");
    write_text("config.json", "{\"shard_count\": 2, \"dtype\": \"torch.float32\"}");
    assert_refused(temp_folder, SAE_E_MISMATCH, "shard_count = 2, but 1");
    write_text("config.json", "{\"total_size\": 7, \"dtype\": \"torch.float32\"}");
    assert_refused(temp_folder, SAE_E_MISMATCH, "total_size = 7, but 6");
    write_npy("tokens.pt", "<i8", "(5,)", rows, 40);
    write_text("config.json", "{\"dtype\": \"torch.float32\"}");
    assert_refused(temp_folder, SAE_E_MISMATCH, "5 tokens");
    unlink(temp_path("tokens.pt"));
    const int64_t ranges[] = {0, 4, 3, 6};
    write_npy("sequence_ranges.pt", "<i8", "(4,)", ranges, sizeof ranges);
    assert_refused(temp_folder, SAE_E_MISMATCH, "do not follow one another");
    write_npy("extra.npy", "<f4", "(6, 4)", rows, sizeof rows);
    assert_refused(temp_folder, SAE_E_ARGUMENT, "several kinds");
    unlink(temp_path("extra.npy"));
    unlink(temp_path("part.bin"));
    write_text("data-00000-of-00001.arrow", "\xff\xff\xff\xff");
    assert_refused(temp_folder, SAE_E_UNSUPPORTED, "load_from_disk");
    assert_refused(temp_path("data-00000-of-00001.arrow"), SAE_E_UNSUPPORTED, "load_from_disk");
}
END_TEST

/* A folder of .npy: the files of columns are no shards, and numbers count as numbers. */
START_TEST(folder_of_npy)
{
    float rows[8] = {0};
    const int64_t ids[2] = {3, 4};
    for (int i = 8; i < 12; i++) {
        char name[32];
        rows[0] = (float)i;
        snprintf(name, sizeof name, "a%d.npy", i);
        write_npy(name, "<f4", "(2, 4)", rows, sizeof rows);
        snprintf(name, sizeof name, "a%d.prompt_id.npy", i);
        write_npy(name, "<i8", "(2,)", ids, sizeof ids);
    }
    const char *path = temp_folder;
    sae_dump *dump;
    ck_assert_msg(sae_dump_open(&dump, context, &path, 1, NULL, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(sae_dump_rows(dump), 8);
    ck_assert(sae_dump_has_column(dump, "prompt_id"));
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(sae_dump_read(rows, dump, 2 * i, 1, &err), SAE_OK);
        ck_assert(rows[0] == (float)(8 + i));
    }
    sae_dump_free(dump);
}
END_TEST

START_TEST(order_of_names)
{
    static const char *const ascending[] = {"a",    "a-1",   "a-2.x", "a-02.y", "a-10",
                                            "a1b2", "a1b10", "a2b1",  "b"};
    for (size_t i = 0; i < 9; i++)
        for (size_t j = 0; j < 9; j++) {
            int order = saei_compare_names(ascending[i], ascending[j]);
            ck_assert_msg((order > 0) - (order < 0) == (i > j) - (i < j), "%s, %s", ascending[i],
                          ascending[j]);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("containers");
    TCase *tests = tcase_create("containers");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, same_rows_and_columns, 0, N_CASES);
    tcase_add_test(tests, two_stores);
    tcase_add_test(tests, condition_beside_the_mask);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, folder_of_npy);
    tcase_add_test(tests, order_of_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
