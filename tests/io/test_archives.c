/* .npz and .pt files that no fixture can hold: large packed members read in any order, wrong checksums,
 * bombs. */
#include "io/npy_write.h"
#include "io/reader.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"
#include "zip_builder.h"

enum {
    ROWS = 600000,
    COLS = 8,
    PIECE = 5000,
    FEW_ROWS = 20000,
    N_SMALL = 5
}; /* 19 MB: several checkpoints */
static const char *const small[N_SMALL] = {"b.npy", "c.npy", "d.npy", "e.npy", "f.npy"};

static float cell(size_t row, size_t col)
{
    return (float)((row * 2654435761u >> 7 & 1023) * COLS + col);
}

/* NAME.npy of the matrix, rows of it, to be freed. */
static unsigned char *matrix(size_t *n, size_t rows)
{
    *n = SAEI_NPY_HEADER_BYTES + rows * COLS * sizeof(float);
    unsigned char *bytes = malloc(*n);
    saei_npy_header(bytes, SAEI_F32, rows, COLS);
    for (size_t i = 0; i < rows * COLS; i++) {
        float value = cell(i / COLS, i % COLS);
        memcpy(bytes + SAEI_NPY_HEADER_BYTES + i * sizeof value, &value, sizeof value);
    }
    return bytes;
}

static void write_zip(zip_builder *zip, const char *name)
{
    zip_finish(zip);
    temp_write(temp_path(name), zip->file.data, zip->file.n);
    free(zip->file.data);
}

static void assert_piece(saei_reader *reader, const saei_array_info *array, size_t first)
{
    static float rows[PIECE * COLS];
    size_t wrong = 0;
    ck_assert_msg(saei_reader_read_f32(rows, reader, array, first, PIECE, &err) == SAE_OK, "%s", err.text);
    for (size_t i = 0; i < PIECE * COLS; i++)
        wrong += !(rows[i] == cell(first + i / COLS, i % COLS));
    ck_assert_uint_eq(wrong, 0);
}

/* Checkpoints must not change what is read, nor may their absence under a small memory limit (_i = 1). */
START_TEST(packed_member_in_any_order)
{
    temp_folder_make();
    zip_builder zip = {0};
    size_t n;
    unsigned char *bytes = matrix(&n, ROWS);
    zip_add(&zip, "a.npy", bytes, n, true);
    free(bytes);
    bytes = matrix(&n, FEW_ROWS);
    for (size_t i = 0; i < N_SMALL; i++)
        zip_add(&zip, small[i], bytes, n, true);
    free(bytes);
    write_zip(&zip, "packed.npz");
    sae_context_options opt;
    sae_context_options_init(&opt);
    opt.memory_limit = _i == 1 ? 2 << 20 : 0;
    sae_context *own;
    saei_reader *reader;
    ck_assert_int_eq(sae_context_new(&own, &opt, &err), SAE_OK);
    ck_assert_msg(saei_reader_open(&reader, own, temp_path("packed.npz"), &err) == SAE_OK, "%s", err.text);
    for (size_t first = ROWS; first >= 100000; first -= 100000)
        assert_piece(reader, saei_reader_find(reader, "a"), first - PIECE);
    for (size_t first = 0; first < FEW_ROWS; first += PIECE) /* more members than decoders are kept */
        for (size_t i = 0; i <= N_SMALL; i++)
            assert_piece(reader, saei_reader_at(reader, i), first);
    saei_reader_free(reader);
    ck_assert_uint_eq(sae_context_memory_used(own), 0);
    sae_context_free(own);
    temp_folder_remove();
}
END_TEST

/* Opens the file, and reads its first array where it opens. */
static void assert_refused(const char *name, sae_status wanted, const char *reason)
{
    saei_reader *reader;
    sae_status status = saei_reader_open(&reader, context, temp_path(name), &err);
    if (status == SAE_OK) {
        const saei_array_info *array = saei_reader_at(reader, 0);
        float rows[100 * COLS];
        ck_assert_uint_eq(array->shape[0], 100);
        status = saei_reader_read_f32(rows, reader, array, 0, 100, &err);
        saei_reader_free(reader);
    }
    ck_assert_msg(status == wanted, "%s: status %d: %s", name, status, status != SAE_OK ? err.text : "read");
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
}

START_TEST(damaged_members)
{
    temp_folder_make();
    size_t n;
    unsigned char *bytes = matrix(&n, 100);
    for (int deflated = 0; deflated < 2; deflated++) {
        zip_builder zip = {0};
        zip_add(&zip, "a.npy", bytes, n, deflated)->crc ^= 1;
        write_zip(&zip, "crc.npz");
        assert_refused("crc.npz", SAE_E_FORMAT, "CRC-32");
    }
    zip_builder shorter = {0}, inside = {0}, bomb = {0}, lie = {0};
    zip_add(&shorter, "a.npy", bytes, n, true)->stored -= 3;
    write_zip(&shorter, "short.npz");
    assert_refused("short.npz", SAE_E_FORMAT, "cut off");
    /* A member that lies within the data of another. */
    zip_builder inner = {0};
    zip_entry entry = *zip_add(&inner, "b.npy", bytes, n, false);
    zip_add(&inside, "a.npy", inner.file.data, inner.file.n, false);
    entry.at = 30 + 5;
    inside.entries[inside.n++] = entry;
    free(inner.file.data);
    write_zip(&inside, "overlap.npz");
    assert_refused("overlap.npz", SAE_E_FORMAT, "overlap");
    zip_add(&lie, "a.npy", bytes, n, true)->bytes = (uint32_t)200 << 20;
    write_zip(&lie, "lie.npz");
    assert_refused("lie.npz", SAE_E_FORMAT, "more bytes than");
    free(bytes);
    /* About 300 times its size and 300 MB: possible, but nothing that anyone measured. */
    bytes = matrix(&n, 200000);
    zip_entry *huge = zip_add(&bomb, "a.npy", bytes, n, true);
    huge->bytes = 300 * huge->stored;
    ck_assert_uint_gt(huge->bytes, (uint32_t)256 << 20);
    free(bytes);
    write_zip(&bomb, "bomb.npz");
    assert_refused("bomb.npz", SAE_E_UNSUPPORTED, "times its size");
    temp_folder_remove();
}
END_TEST

/* A member that no array needs is read by the check of the rest alone. */
START_TEST(damage_beside_the_arrays)
{
    temp_folder_make();
    size_t n;
    unsigned char *bytes = matrix(&n, 100);
    for (int deflated = 0; deflated < 2; deflated++) {
        zip_builder zip = {0};
        saei_reader *reader;
        uint32_t crc;
        zip_add(&zip, "a.npy", bytes, n, deflated);
        zip_add(&zip, "notes.txt", "some notes", 10, deflated)->crc ^= 1;
        write_zip(&zip, "notes.npz");
        ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("notes.npz"), &err), SAE_OK);
        ck_assert_int_eq(saei_reader_crc32(&crc, reader, saei_reader_at(reader, 0), &err), SAE_OK);
        ck_assert_uint_eq(crc, crc32(0, bytes + SAEI_NPY_HEADER_BYTES, (uInt)(n - SAEI_NPY_HEADER_BYTES)));
        ck_assert_int_eq(saei_reader_check_rest(reader, &err), SAE_E_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "notes.txt"));
        saei_reader_free(reader);
    }
    free(bytes);
    temp_folder_remove();
}
END_TEST

/* A .pt whose pickle is `text` and whose storage 0 is one float. */
static void write_torch(const zip_bytes *pickle, const char *name)
{
    zip_builder zip = {0};
    zip_add(&zip, "x/data.pkl", pickle->data, pickle->n, false);
    zip_add(&zip, "x/data/0", "\0\0\200\77", 4, false);
    write_zip(&zip, name);
    free(pickle->data);
}

/* A list of two references to the list before, 40 times over: small, but 2^40 ways through it. */
START_TEST(pickle_that_unfolds)
{
    temp_folder_make();
    zip_bytes pickle = {0};
    put_bytes(&pickle, "\200\2]q\0", 5);
    for (int i = 0; i < 40; i++) {
        put_bytes(&pickle, "0](h", 4);
        put_number(&pickle, (unsigned)i, 1);
        put_bytes(&pickle, "h", 1);
        put_number(&pickle, (unsigned)i, 1);
        put_bytes(&pickle, "eq", 2);
        put_number(&pickle, (unsigned)i + 1, 1);
    }
    put_bytes(&pickle, ".", 1);
    write_torch(&pickle, "dag.pt");
    assert_refused("dag.pt", SAE_E_FORMAT, "unfold");
    temp_folder_remove();
}
END_TEST

/* One float seen as ten tensors of 4 million: each is allowed, all together are not. */
START_TEST(storage_claimed_often)
{
    static const char storage[] = "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\1tQ";
    temp_folder_make();
    zip_bytes pickle = {0};
    put_bytes(&pickle, "\200\2](", 4);
    for (int i = 0; i < 10; i++) {
        put_bytes(&pickle, "ctorch._utils\n_rebuild_tensor_v2\n(", 34);
        put_bytes(&pickle, storage, sizeof storage - 1);
        put_bytes(&pickle, "K\0J\0\0\100\0\205K\0\205\211}tR", 15);
    }
    put_bytes(&pickle, "e.", 2);
    write_torch(&pickle, "claims.pt");
    assert_refused("claims.pt", SAE_E_FORMAT, "claim over 16 times");
    temp_folder_remove();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archives");
    TCase *tests = tcase_create("archives");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_loop_test(tests, packed_member_in_any_order, 0, 2);
    tcase_add_test(tests, damaged_members);
    tcase_add_test(tests, damage_beside_the_arrays);
    tcase_add_test(tests, pickle_that_unfolds);
    tcase_add_test(tests, storage_claimed_often);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
