/* Dumps over files: the same rows through every format, selections against a naive copy, every refusal. */
#include "base/memory.h"
#include "base/rng.h"
#include "dump/dump.h"
#include "dump/handle.h"
#include "dump_files.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <math.h>
#include <pthread.h>
#include <sys/resource.h>

enum { ROWS = 3000, D = 5, FIRST_SHARD = 1234 };

static float data[ROWS * D];
static uint8_t position[ROWS], region[ROWS];
static uint32_t doc_id[ROWS];

/* Rows first .. first + rows - 1 as one HDF5 file. */
static void write_h5(const char *name, size_t first, size_t rows, hsize_t chunk_rows)
{
    const hsize_t shape[] = {rows, D};
    hid_t file = h5_create(name);
    h5_put(file, "activations", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, shape, chunk_rows, data + first * D);
    h5_put(file, "position", H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, shape, chunk_rows, position + first);
    h5_put(file, "labels/region", H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, shape, 0, region + first);
    h5_put(file, "doc_id", H5T_STD_U32LE, H5T_NATIVE_UINT32, 1, shape, chunk_rows, doc_id + first);
    H5Fclose(file);
}

static void write_npy_dump(void)
{
    write_npy("acts.npy", "<f4", "(3000, 5)", data, sizeof data);
    write_npy("acts.position.npy", "|u1", "(3000,)", position, sizeof position);
    write_npy("acts.region.npy", "|u1", "(3000,)", region, sizeof region);
    write_npy("acts.doc_id.npy", "<u4", "(3000,)", doc_id, sizeof doc_id);
    /* Neither of these is a column: other length, other form, an activation file with a longer name. */
    write_npy("acts.short.npy", "<u4", "(2999,)", doc_id, sizeof doc_id - sizeof *doc_id);
    write_npy("acts.b.position.npy", "|u1", "(3000,)", position, sizeof position);
    write_npy("acts.matrix.npy", "<f4", "(3000, 5)", data, sizeof data);
    write_npy("actsposition.npy", "|u1", "(3000,)", position, sizeof position);
}

static void setup(void)
{
    context_make();
    temp_folder_make();
    saei_rng rng = saei_rng_new(7, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < D; j++)
            data[i * D + j] = (float)saei_rng_normal(&rng);
        position[i] = (uint8_t)(i % 40);
        region[i] = (uint8_t)saei_rng_below(&rng, 4);
        doc_id[i] = (uint32_t)(i / 40);
    }
}

static void teardown(void)
{
    temp_folder_remove();
    context_end();
}

static sae_dump *open_in(sae_context *own, const char *a, const char *b, const char *where)
{
    const char *paths[] = {temp_path(a), b != NULL ? temp_path(b) : NULL};
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    sae_dump *dump;
    sae_status status = sae_dump_open(&dump, own, paths, b != NULL ? 2 : 1, &options, &err);
    ck_assert_msg(status == SAE_OK, "%s", err.text);
    return dump;
}

static sae_dump *open_dump(const char *a, const char *b, const char *where)
{
    return open_in(context, a, b, where);
}

/* The status of opening one or two files; err holds the text. */
static sae_status refusal(const char *a, const char *b, const char *dataset, const char *where)
{
    const char *paths[] = {temp_path(a), b != NULL ? temp_path(b) : NULL};
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.where = where;
    options.dataset = dataset;
    sae_dump *dump = (sae_dump *)1;
    err.text[0] = '\0';
    sae_status status = sae_dump_open(&dump, context, paths, b != NULL ? 2 : 1, &options, &err);
    if (status != SAE_OK)
        ck_assert_ptr_null(dump);
    else
        sae_dump_free(dump);
    return status;
}

static void assert_text(const char *part)
{
    ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in: %s", part, err.text);
}

/* Compares everything that can be read with the rows listed in kept [n]. */
static void check_rows(const sae_dump *dump, const size_t *kept, size_t n, saei_rng *rng)
{
    static float out[ROWS * D];
    static double column[ROWS];
    ck_assert_uint_eq(sae_dump_rows(dump), n);
    ck_assert_int_eq(sae_dump_read(out, dump, 0, n, &err), SAE_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert_mem_eq(out + i * D, data + kept[i] * D, D * sizeof *out);
    for (int piece = 0; piece < 30; piece++) {
        uint64_t first = saei_rng_below(rng, n), count = saei_rng_below(rng, n - first) + 1;
        if (piece % 2 == 0 && count > 20)
            count = 20;
        ck_assert_int_eq(sae_dump_read(out, dump, first, count, &err), SAE_OK);
        for (size_t i = 0; i < count; i++)
            ck_assert_mem_eq(out + i * D, data + kept[first + i] * D, D * sizeof *out);
    }
    ck_assert_int_eq(sae_dump_read_column(column, dump, "doc_id", &err), SAE_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert(column[i] == doc_id[kept[i]]);
    for (int draw = 0; draw < 5; draw++) {
        size_t row = (size_t)saei_rng_below(rng, n);
        double entry;
        ck_assert_int_eq(saei_dump_read_column_part(&entry, dump, "doc_id", row, 1, &err), SAE_OK);
        ck_assert(entry == doc_id[kept[row]]);
    }
    static bool holds[ROWS];
    ck_assert_int_eq(sae_dump_match(holds, dump, "position>=20 or doc_id=3", &err), SAE_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(holds[i], position[kept[i]] >= 20 || doc_id[kept[i]] == 3);
}

static const struct {
    const char *a, *b, *region;
} kinds[] = {
    {"chunked.h5", NULL, "labels/region"},
    {"contiguous.h5", NULL, "labels/region"},
    {"one_chunk.h5", NULL, "labels/region"},
    {"first.h5", "second.h5", "labels/region"},
    {"acts.npy", NULL, "region"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void write_kinds(void)
{
    write_h5("chunked.h5", 0, ROWS, 100);
    write_h5("contiguous.h5", 0, ROWS, 0);
    write_h5("one_chunk.h5", 0, ROWS, ROWS);
    write_h5("first.h5", 0, FIRST_SHARD, 64);
    write_h5("second.h5", FIRST_SHARD, ROWS - FIRST_SHARD, 0);
    write_npy_dump();
}

START_TEST(selections_equal_a_naive_copy)
{
    write_kinds();
    saei_rng rng = saei_rng_new(11, SAEI_STREAM_ROWS, 0);
    static size_t kept[ROWS];
    for (int draw = 0; draw < 20; draw++) {
        /* From nearly all rows to a few scattered ones. */
        int low = (int)saei_rng_below(&rng, 39), r = (int)saei_rng_below(&rng, 4);
        int doc = (int)saei_rng_below(&rng, ROWS / 40);
        size_t n = 0;
        for (size_t i = 0; i < ROWS; i++)
            if (draw % 2 == 0 ? position[i] > low && (region[i] != r || !(doc_id[i] <= (unsigned)doc))
                              : position[i] == low || (region[i] == r && doc_id[i] >= (unsigned)doc))
                kept[n++] = i;
        for (size_t kind = 0; kind < KINDS; kind++) {
            char where[128];
            snprintf(where, sizeof where,
                     draw % 2 == 0 ? "position>%d and (%s!=%d or not doc_id<=%d)"
                                   : "position=%d or %s=%d and doc_id>=%d",
                     low, kinds[kind].region, r, doc);
            sae_dump *dump = open_dump(kinds[kind].a, kinds[kind].b, where);
            ck_assert_uint_eq(sae_dump_rows_total(dump), ROWS);
            check_rows(dump, kept, n, &rng);
            sae_dump_free(dump);
        }
    }
}
END_TEST

START_TEST(all_rows_read_the_same_in_every_format)
{
    write_kinds();
    saei_rng rng = saei_rng_new(12, SAEI_STREAM_ROWS, 0);
    static size_t kept[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        kept[i] = i;
    saei_dump_scan_result first = {0}, scan;
    for (size_t kind = 0; kind < KINDS; kind++) {
        sae_dump *dump = open_dump(kinds[kind].a, kinds[kind].b, NULL);
        ck_assert_str_eq(sae_dump_name(dump), temp_path(kinds[kind].a));
        ck_assert_uint_eq(sae_dump_dim(dump), D);
        ck_assert_uint_eq(sae_dump_columns(dump), 3);
        ck_assert_str_eq(sae_dump_column_name(dump, 0), "doc_id");
        ck_assert(sae_dump_has_column(dump, kinds[kind].region));
        check_rows(dump, kept, ROWS, &rng);
        ck_assert_int_eq(saei_dump_scan(&scan, dump, NULL, NULL, &err), SAE_OK);
        if (kind == 0) {
            first = scan;
        } else {
            ck_assert_str_eq(scan.hash, first.hash);
            ck_assert(scan.variance == first.variance && scan.mean_square == first.mean_square);
            ck_assert_mem_eq(scan.mean, first.mean, D * sizeof *scan.mean);
            saei_free(context, scan.mean);
        }
        sae_dump_free(dump);
    }
    saei_free(context, first.mean);
}
END_TEST

START_TEST(block_rows_follow_the_chunks)
{
    write_kinds();
    const struct {
        const char *file;
        uint64_t rows;
    } expected[] = {{"chunked.h5", 256}, {"contiguous.h5", 256}, {"one_chunk.h5", ROWS}, {"acts.npy", 256}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        sae_dump *dump = open_dump(expected[i].file, NULL, NULL);
        ck_assert_uint_eq(saei_dump_block_rows(dump), expected[i].rows);
        sae_dump_free(dump);
    }
}
END_TEST

START_TEST(three_axes_become_rows)
{
    const hsize_t shape[] = {60, 50, D};
    hid_t file = h5_create("3d.h5");
    h5_put(file, "resid", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, shape, 7, data);
    h5_put(file, "tokens", H5T_STD_U32LE, H5T_NATIVE_UINT32, 2, shape, 7, doc_id);
    H5Fclose(file);
    file = h5_create("3d_contiguous.h5");
    h5_put(file, "resid", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, shape, 0, data);
    h5_put(file, "tokens", H5T_STD_U32LE, H5T_NATIVE_UINT32, 2, shape, 0, doc_id);
    H5Fclose(file);
    static float out[ROWS * D];
    static double column[2 * ROWS];
    const char *files[] = {"3d.h5", "3d_contiguous.h5"};
    for (size_t f = 0; f < 2; f++) {
        sae_dump *dump = open_dump(files[f], files[1 - f], "position>=10 and position<13 and sequence!=60");
        ck_assert_uint_eq(sae_dump_rows_total(dump), 2 * ROWS);
        ck_assert_uint_eq(sae_dump_rows(dump), 3 * 119);
        ck_assert_int_eq(sae_dump_read(out, dump, 0, 3 * 119, &err), SAE_OK);
        ck_assert_int_eq(sae_dump_read_column(column, dump, "sequence", &err), SAE_OK);
        for (size_t i = 0; i < 3 * 119; i++) {
            size_t sequence = i / 3 < 60 ? i / 3 : i / 3 + 1, row = sequence % 60 * 50 + 10 + i % 3;
            ck_assert_mem_eq(out + i * D, data + row * D, D * sizeof *out);
            ck_assert(column[i] == (double)sequence);
        }
        ck_assert_int_eq(sae_dump_read_column(column, dump, "tokens", &err), SAE_OK);
        for (size_t i = 0; i < 3 * 119; i++) {
            size_t sequence = i / 3 < 60 ? i / 3 : i / 3 + 1;
            ck_assert(column[i] == doc_id[sequence % 60 * 50 + 10 + i % 3]);
        }
        ck_assert_int_eq(sae_dump_read_column(column, dump, "position", &err), SAE_OK);
        for (size_t i = 0; i < 3 * 119; i++)
            ck_assert(column[i] == (double)(10 + i % 3));
        for (size_t i = 0; i < 3 * 119; i += 50) {
            double entry;
            ck_assert_int_eq(saei_dump_read_column_part(&entry, dump, "position", i, 1, &err), SAE_OK);
            ck_assert(entry == column[i]);
        }
        sae_dump_free(dump);
    }
}
END_TEST

START_TEST(shards_must_belong_together)
{
    write_h5("a.h5", 0, 100, 0);
    hsize_t narrow[] = {100, D - 1};
    hid_t file = h5_create("narrow.h5");
    h5_put(file, "activations", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, narrow, 0, data);
    H5Fclose(file);
    ck_assert_int_eq(refusal("a.h5", "narrow.h5", NULL, NULL), SAE_E_MISMATCH);
    assert_text("narrow.h5: rows of width 4, but those of ");
    hsize_t shape[] = {100, D};
    file = h5_create("bare.h5");
    h5_put(file, "activations", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, shape, 0, data);
    H5Fclose(file);
    ck_assert_int_eq(refusal("a.h5", "bare.h5", NULL, NULL), SAE_E_MISMATCH);
    assert_text("bare.h5: no column 'doc_id', which ");
    ck_assert_int_eq(refusal("bare.h5", "a.h5", NULL, NULL), SAE_E_MISMATCH);
    assert_text("a.h5: a column 'doc_id', which ");
    ck_assert_int_eq(refusal("bare.h5", "bare.h5", NULL, NULL), SAE_OK);
}
END_TEST

START_TEST(the_dataset_is_found_or_asked_for)
{
    const hsize_t shape[] = {100, D}, column[] = {100};
    hid_t file = h5_create("two.h5");
    h5_put(file, "activations/layer_0", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, shape, 0, data);
    h5_put(file, "activations/layer_1", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 2, shape, 0, data + 100 * D);
    h5_put(file, "score", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, column, 0, data);
    H5Fclose(file);
    ck_assert_int_eq(refusal("two.h5", NULL, NULL, NULL), SAE_E_ARGUMENT);
    assert_text(
        "2 datasets may be the activations: activations/layer_0 [100, 5], activations/layer_1 [100, 5]; "
        "choose with --dataset");
    ck_assert_int_eq(refusal("two.h5", NULL, "layer_1", NULL), SAE_E_NOT_FOUND);
    assert_text("no dataset 'layer_1'; there are ");
    assert_text("activations/layer_0 [100, 5]");
    assert_text("score [100]");
    ck_assert_int_eq(refusal("two.h5", NULL, "score", NULL), SAE_E_ARGUMENT);
    assert_text("score [100] is no matrix");
    ck_assert_int_eq(refusal("two.h5", NULL, "/activations/layer_0", NULL), SAE_OK);

    const char *path = temp_path("two.h5");
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.dataset = "activations/layer_1";
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_open(&dump, context, &path, 1, &options, &err), SAE_OK);
    float out[100 * D];
    ck_assert_int_eq(sae_dump_read(out, dump, 0, 100, &err), SAE_OK);
    ck_assert_mem_eq(out, data + 100 * D, sizeof out);
    sae_dump_free(dump);

    file = h5_create("vector.h5");
    h5_put(file, "score", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, column, 0, data);
    H5Fclose(file);
    ck_assert_int_eq(refusal("vector.h5", NULL, NULL, NULL), SAE_E_NOT_FOUND);
    assert_text("no 2-D or 3-D float dataset; there are score [100]");
    file = h5_create("nothing.h5");
    H5Fclose(file);
    ck_assert_int_eq(refusal("nothing.h5", NULL, NULL, NULL), SAE_E_NOT_FOUND);
    assert_text("no numeric dataset");
}
END_TEST

START_TEST(refuses_empty_dumps_and_selections)
{
    write_h5("a.h5", 0, 100, 0);
    hsize_t shape[] = {0, D};
    hid_t file = h5_create("no_rows.h5");
    h5_put(file, "activations", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, shape, 0, data);
    H5Fclose(file);
    ck_assert_int_eq(refusal("no_rows.h5", NULL, NULL, NULL), SAE_E_ARGUMENT);
    assert_text("no_rows.h5: 'activations' has no rows");
    write_npy("no_rows.npy", "<f4", "(0, 5)", data, 0);
    ck_assert_int_eq(refusal("no_rows.npy", NULL, NULL, NULL), SAE_E_ARGUMENT);
    write_npy("no_width.npy", "<f4", "(5, 0)", data, 0);
    ck_assert_int_eq(refusal("no_width.npy", NULL, NULL, NULL), SAE_E_MISMATCH);
    assert_text("width 0");
    write_npy("no_positions.npy", "<f4", "(5, 0, 3)", data, 0);
    ck_assert_int_eq(refusal("no_positions.npy", NULL, NULL, NULL), SAE_E_ARGUMENT);
    ck_assert_int_eq(refusal("a.h5", NULL, NULL, "position>99"), SAE_E_ARGUMENT);
    assert_text("a.h5: no row matches --where 'position>99'");
    ck_assert_int_eq(refusal("a.h5", NULL, NULL, "position>>9"), SAE_E_ARGUMENT);
    assert_text("character 10");
    ck_assert_int_eq(refusal("a.h5", NULL, NULL, "pos=9"), SAE_E_NOT_FOUND);
    assert_text("a.h5: no column 'pos'; there are doc_id, labels/region, position");
    ck_assert_int_eq(refusal("absent.h5", NULL, NULL, NULL), SAE_E_NOT_FOUND);
    assert_text("absent.h5");
    sae_dump *dump;
    ck_assert_int_eq(sae_dump_open(&dump, context, NULL, 0, NULL, &err), SAE_E_ARGUMENT);
    assert_text("at least one file");
    sae_dump_options options = {.size = 0};
    const char *path = temp_path("a.h5");
    ck_assert_int_eq(sae_dump_open(&dump, context, &path, 1, &options, &err), SAE_E_ARGUMENT);
    ck_assert_int_eq(sae_dump_open(&dump, context, &path, 1, NULL, &err), SAE_OK);
    double values[100] = {0};
    ck_assert_int_eq(sae_dump_add_column(dump, "more", values, &err), SAE_E_ARGUMENT);
    assert_text("rows in memory");
    sae_dump_free(dump);
}
END_TEST

START_TEST(a_broken_column_file_is_named)
{
    write_npy("acts.npy", "<f4", "(3000, 5)", data, sizeof data);
    temp_write(temp_path("acts.broken.npy"), "\x93NUMPY\x01", 7);
    ck_assert_int_ne(refusal("acts.npy", NULL, NULL, NULL), SAE_OK);
    assert_text("acts.broken.npy");
}
END_TEST

START_TEST(columns_beyond_exact_doubles_are_refused)
{
    const hsize_t shape[] = {2, D};
    const int64_t hash[] = {1, INT64_MAX};
    hid_t file = h5_create("big.h5");
    h5_put(file, "activations", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, shape, 0, data);
    h5_put(file, "hash", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, shape, 0, hash);
    H5Fclose(file);
    sae_dump *dump = open_dump("big.h5", NULL, NULL);
    double out[2];
    bool holds[2];
    ck_assert_int_eq(sae_dump_read_column(out, dump, "hash", &err), SAE_E_UNSUPPORTED);
    ck_assert_int_eq(sae_dump_match(holds, dump, "hash=1", &err), SAE_E_UNSUPPORTED);
    sae_dump_free(dump);
}
END_TEST

START_TEST(rows_that_are_no_numbers)
{
    data[17 * D] = NAN;
    data[18 * D + 4] = INFINITY;
    data[2000 * D + 2] = -NAN;
    write_h5("first.h5", 0, FIRST_SHARD, 64);
    write_h5("second.h5", FIRST_SHARD, ROWS - FIRST_SHARD, 0);
    sae_dump *dump = open_dump("first.h5", "second.h5", "position!=18");
    static float out[ROWS * D];
    ck_assert_int_eq(sae_dump_read(out, dump, 0, 10, &err), SAE_OK);
    ck_assert_int_eq(sae_dump_read(out, dump, 10, 10, &err), SAE_E_NONFINITE);
    assert_text("first.h5: 2 of 2925 rows hold NaN or Inf (the first is row 17 of ");
    assert_text("leave them out with --drop-nonfinite");
    sae_dump_free(dump);

    const char *paths[] = {temp_path("first.h5"), temp_path("second.h5")};
    sae_dump_options options;
    sae_dump_options_init(&options);
    options.drop_nonfinite = true;
    ck_assert_int_eq(sae_dump_open(&dump, context, paths, 2, &options, &err), SAE_OK);
    ck_assert_uint_eq(sae_dump_rows_dropped(dump), 3);
    ck_assert_uint_eq(sae_dump_rows_total(dump), ROWS);
    static size_t kept[ROWS];
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (i != 17 && i != 18 && i != 2000)
            kept[n++] = i;
    saei_rng rng = saei_rng_new(13, SAEI_STREAM_ROWS, 0);
    check_rows(dump, kept, n, &rng);
    sae_dump_free(dump);

    options.where = "doc_id=0 and (position=17 or position=18)";
    ck_assert_int_eq(sae_dump_open(&dump, context, paths, 2, &options, &err), SAE_E_NONFINITE);
    assert_text("all 2 rows hold NaN or Inf");
    options.where = "position=3";
    ck_assert_int_eq(sae_dump_open(&dump, context, paths, 2, &options, &err), SAE_OK);
    ck_assert_uint_eq(sae_dump_rows_dropped(dump), 0);
    sae_dump_free(dump);
}
END_TEST

/* An allocator that knows the largest number of bytes it held at once, and can be told to fail. */
typedef struct meter {
    size_t held, peak, calls, fail_at;
} meter;

static void *meter_alloc(void *user, size_t bytes)
{
    meter *m = user;
    if (m->calls++ == m->fail_at)
        return NULL;
    size_t *block = malloc(bytes + 16);
    *block = bytes;
    m->held += bytes;
    m->peak = m->held > m->peak ? m->held : m->peak;
    return block + 2;
}

static void meter_free(void *user, void *block)
{
    size_t *start = (size_t *)block - 2;
    ((meter *)user)->held -= *start;
    free(start);
}

static sae_context *metered(meter *m, uint64_t limit)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = limit;
    options.threads = 1;
    options.allocator = (sae_allocator){m, meter_alloc, meter_free};
    sae_context *own;
    ck_assert_int_eq(sae_context_new(&own, &options, &err), SAE_OK);
    return own;
}

START_TEST(a_dump_larger_than_memory)
{
    enum { WIDE = 512, MANY = 20000, LIMIT = 4 << 20 };
    static float row[WIDE];
    char shape[32];
    size_t bytes = (size_t)MANY * WIDE * sizeof(float);
    float *wide = malloc(bytes);
    for (size_t i = 0; i < (size_t)MANY * WIDE; i++)
        wide[i] = (float)(i % 8191);
    snprintf(shape, sizeof shape, "(%d, %d)", MANY, WIDE);
    write_npy("wide.npy", "<f4", shape, wide, bytes);
    meter m = {.fail_at = SIZE_MAX};
    sae_context *own = metered(&m, LIMIT);
    sae_dump *dump = open_in(own, "wide.npy", NULL, NULL);
    for (uint64_t i = 0; i < MANY; i += 997) {
        ck_assert_int_eq(sae_dump_read(row, dump, i, 1, &err), SAE_OK);
        ck_assert_mem_eq(row, wide + i * WIDE, sizeof row);
    }
    ck_assert_uint_le(m.peak, LIMIT + 1024);
    ck_assert_uint_gt(m.peak, 0);
    sae_dump_free(dump);
    sae_context_free(own);
    ck_assert_uint_eq(m.held, 0);
    free(wide);
}
END_TEST

/* Opening, selecting and reading with the n-th allocation refused, for every n. */
START_TEST(survives_every_refused_allocation)
{
    write_h5("a.h5", 0, 500, 64);
    write_npy_dump();
    const char *files[] = {"a.h5", "acts.npy"};
    for (size_t f = 0; f < 2; f++) {
        size_t n = 1;
        for (bool whole = false; !whole; n++) {
            ck_assert_uint_lt(n, 2000);
            meter m = {.fail_at = n};
            sae_context *own = metered(&m, 1 << 28);
            const char *path = temp_path(files[f]);
            sae_dump_options options;
            sae_dump_options_init(&options);
            options.where = "position>3";
            options.drop_nonfinite = true;
            sae_dump *dump;
            sae_status status = sae_dump_open(&dump, own, &path, 1, &options, &err);
            ck_assert(status == SAE_OK || (status == SAE_E_MEMORY && dump == NULL));
            if (status == SAE_OK) {
                static double column[ROWS];
                saei_dump_scan_result scan;
                status = sae_dump_read_column(column, dump, "doc_id", &err);
                if (status == SAE_OK)
                    status = saei_dump_scan(&scan, dump, NULL, NULL, &err);
                ck_assert(status == SAE_OK || status == SAE_E_MEMORY);
                if (status == SAE_OK)
                    saei_free(own, scan.mean);
            }
            whole = status == SAE_OK;
            sae_dump_free(dump);
            sae_context_free(own);
            ck_assert_uint_eq(m.held, 0);
        }
        ck_assert_uint_gt(n, 10);
    }
}
END_TEST

typedef struct reader_thread {
    const sae_dump *dump;
    uint64_t seed, wrong;
} reader_thread;

static void *read_at_random(void *arg)
{
    reader_thread *t = arg;
    saei_rng rng = saei_rng_new(t->seed, SAEI_STREAM_ROWS, 0);
    float out[50 * D];
    for (int i = 0; i < 300; i++) {
        uint64_t first = saei_rng_below(&rng, ROWS - 50);
        if (sae_dump_read(out, t->dump, first, 50, NULL) != SAE_OK ||
            memcmp(out, data + first * D, sizeof out) != 0)
            t->wrong++;
    }
    return NULL;
}

START_TEST(several_threads_read_one_dump)
{
    write_h5("chunked.h5", 0, ROWS, 100);
    sae_dump *dump = open_dump("chunked.h5", NULL, NULL);
    pthread_t threads[4];
    reader_thread readers[4];
    for (unsigned i = 0; i < 4; i++) {
        readers[i] = (reader_thread){dump, i, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_at_random, &readers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(readers[i].wrong, 0);
    }
    sae_dump_free(dump);
}
END_TEST

START_TEST(more_shards_than_descriptors)
{
    write_npy("x.npy", "<f4", "(3, 5)", data, 60);
    enum { SHARDS = 64 };
    const char *paths[SHARDS], *path = temp_path("x.npy");
    for (size_t i = 0; i < SHARDS; i++)
        paths[i] = path;
    struct rlimit before, few;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){SHARDS / 2, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    sae_dump *dump;
    sae_status status = sae_dump_open(&dump, context, paths, SHARDS, NULL, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(status, SAE_E_IO);
    assert_text("x.npy: each of the 64 files of a dump stays open; raise the limit (ulimit -n)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dump files");
    TCase *tests = tcase_create("files");
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, selections_equal_a_naive_copy);
    tcase_add_test(tests, all_rows_read_the_same_in_every_format);
    tcase_add_test(tests, block_rows_follow_the_chunks);
    tcase_add_test(tests, three_axes_become_rows);
    tcase_add_test(tests, shards_must_belong_together);
    tcase_add_test(tests, the_dataset_is_found_or_asked_for);
    tcase_add_test(tests, refuses_empty_dumps_and_selections);
    tcase_add_test(tests, a_broken_column_file_is_named);
    tcase_add_test(tests, columns_beyond_exact_doubles_are_refused);
    tcase_add_test(tests, rows_that_are_no_numbers);
    tcase_add_test(tests, a_dump_larger_than_memory);
    tcase_add_test(tests, survives_every_refused_allocation);
    tcase_add_test(tests, several_threads_read_one_dump);
    tcase_add_test(tests, more_shards_than_descriptors);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
