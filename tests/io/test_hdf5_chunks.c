/* Packed chunks read by our threads give the bits that libhdf5 gives, and damaged ones are named. */
#include "base/context.h"
#include "io/hdf5_chunks.h"
#include "io/hdf5_file.h"
#include "io/reader_format.h"
#include "io/reader.h"
#include "num/finite.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <hdf5.h>
#include <string.h>
#include <zlib.h>

enum { ROWS = 50, COLS = 12, ELEMENTS = ROWS * COLS, BLOCK_MAX = 8192 };

static void setup(void)
{
    temp_folder_make();
    context_make();
}

static void setup_trusted(void)
{
    temp_folder_make();
    context_make_trusted();
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

/* What a dataset is made of. */
typedef struct layout {
    hid_t type;
    int rank;
    hsize_t shape[3], chunk[3], most[3]; /* most 0: the shape */
    bool shuffle, deflate, fletcher;
} layout;

static hid_t create(hid_t file, const layout *l, const void *fill)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE),
          space = H5Screate_simple(l->rank, l->shape, l->most[0] > 0 ? l->most : NULL);
    ck_assert_int_ge(H5Pset_chunk(properties, l->rank, l->chunk), 0);
    if (l->shuffle)
        ck_assert_int_ge(H5Pset_shuffle(properties), 0);
    if (l->deflate)
        ck_assert_int_ge(H5Pset_deflate(properties, 4), 0);
    if (l->fletcher)
        ck_assert_int_ge(H5Pset_fletcher32(properties), 0);
    if (fill != NULL)
        ck_assert_int_ge(H5Pset_fill_value(properties, l->type, fill), 0);
    hid_t set = H5Dcreate2(file, "x", l->type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_int_ge(set, 0);
    H5Sclose(space);
    H5Pclose(properties);
    return set;
}

static hid_t new_file(void)
{
    hid_t file = H5Fcreate(temp_path("a.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    return file;
}

static hid_t half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    ck_assert(H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0 &&
              H5Tset_ebias(type, 15) >= 0);
    return type;
}

/* Any bytes do: every pattern is a number or NaN of its type. */
static void fill_bytes(unsigned char *out, size_t n)
{
    for (size_t i = 0, state = 7; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(state >> 56);
    }
}

static void write_layout(const layout *l)
{
    static unsigned char values[ELEMENTS * 8];
    fill_bytes(values, sizeof values);
    hid_t file = new_file(), set = create(file, l, NULL);
    ck_assert_int_ge(H5Dwrite(set, l->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(set);
    H5Fclose(file);
}

/* Reads the whole array by our threads, by the caller alone and by libhdf5. */
static void compare(bool packed)
{
    float ours[ELEMENTS], alone[ELEMENTS], theirs[ELEMENTS];
    saei_reader *reader;
    saei_inflater *inflater;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a.h5"), &err), SAE_OK);
    const saei_array_info *array = saei_reader_find(reader, "x");
    ck_assert_int_eq(array->packed_bytes > 0, packed);
    ck_assert_int_eq(saei_inflater_new(&inflater, context, BLOCK_MAX, &err), SAE_OK);
    ck_assert_ptr_nonnull(inflater);
    memset(ours, 1, sizeof ours);
    memset(alone, 2, sizeof alone);
    const saei_lone_reader lone = {0};
    const saei_unpacking pool = {inflater, NULL}, caller = {inflater, &lone};
    bool finite[3] = {true, true, true};
    uint64_t entries = array->shape[0], chunk = array->chunk_rows, entry = ELEMENTS / entries;
    ck_assert_msg(saei_reader_unpack_f32(ours, &finite[0], reader, array, 0, entries, &pool, &err) == SAE_OK,
                  "%s", err.text);
    ck_assert_int_eq(saei_reader_read_f32(theirs, reader, array, 0, entries, &err), SAE_OK);
    ck_assert_int_eq(memcmp(ours, theirs, sizeof ours), 0);
    ck_assert(finite[0] == saei_all_finite(theirs, ELEMENTS));
    /* From the second chunk on, then a range that no chunk begins or ends with. */
    ck_assert_int_eq(
        saei_reader_unpack_f32(alone, &finite[1], reader, array, chunk, entries - chunk, &caller, &err),
        SAE_OK);
    ck_assert(finite[1] == saei_all_finite(alone, (entries - chunk) * entry));
    ck_assert_int_eq(memcmp(alone, theirs + chunk * entry, (entries - chunk) * entry * sizeof *alone), 0);
    ck_assert_int_eq(saei_reader_unpack_f32(alone, &finite[2], reader, array, 1, entries - 2, &pool, &err),
                     SAE_OK);
    ck_assert(finite[2] == saei_all_finite(alone, (entries - 2) * entry));
    ck_assert_int_eq(memcmp(alone, theirs + entry, (entries - 2) * entry * sizeof *alone), 0);
    ck_assert_int_eq(saei_reader_unpack_f32(alone, &finite[2], reader, array, 1, entries, &pool, &err),
                     SAE_E_ARGUMENT);
    saei_inflater_free(inflater);
    saei_reader_free(reader);
}

START_TEST(any_type_chunk_and_filter)
{
    const hid_t half = half_type(), types[] = {half,         H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE,
                                               H5T_STD_I8LE, H5T_STD_U16BE,  H5T_STD_I32LE,  H5T_IEEE_F64BE};
    const layout shapes[] = {
        {.rank = 2, .shape = {ROWS, COLS}, .chunk = {8, COLS}},
        {.rank = 2, .shape = {ROWS, COLS}, .chunk = {8, 5}},
        {.rank = 2, .shape = {ROWS, COLS}, .chunk = {3, 1}},
        {.rank = 2, .shape = {ROWS, COLS}, .chunk = {ROWS, COLS}},
        {.rank = 3, .shape = {5, 10, COLS}, .chunk = {2, 3, 7}},
        {.rank = 3, .shape = {5, 10, COLS}, .chunk = {2, 10, 7}},
        {.rank = 3, .shape = {5, 10, COLS}, .chunk = {3, 4, COLS}},
        {.rank = 1, .shape = {ELEMENTS}, .chunk = {64}},
    };
    const size_t step = saei_context_trusts_files(context) ? 1 : 5; /* each file starts a worker */
    for (size_t t = 0; t < sizeof types / sizeof *types; t += step)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int filters = 0; filters < 8; filters++) {
                layout l = shapes[s];
                l.type = types[t];
                l.shuffle = filters & 1;
                l.deflate = filters & 2;
                l.fletcher = filters & 4;
                write_layout(&l);
                if (l.chunk[0] < l.shape[0])
                    compare(l.deflate && !l.fletcher);
            }
    H5Tclose(half);
}
END_TEST

static const layout packed = {
    .rank = 2, .shape = {ROWS, COLS}, .chunk = {8, COLS}, .shuffle = true, .deflate = true};

START_TEST(chunks_never_written_hold_the_fill_value)
{
    layout l = packed;
    l.type = H5T_IEEE_F32LE;
    const float fill = -2.5f, row[8 * COLS] = {1, 2, 3};
    const hsize_t start[2] = {16, 0}, count[2] = {8, COLS};
    hid_t file = new_file(), set = create(file, &l, &fill), space = H5Dget_space(set),
          memory = H5Screate_simple(2, count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    ck_assert_int_ge(H5Dwrite(set, l.type, memory, space, H5P_DEFAULT, row), 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    compare(true);
}
END_TEST

/* libhdf5 tells where each chunk lies: nothing is left to its own reading. */
static void assert_places_known(void)
{
    saei_reader *reader;
    saei_chunk_place places[ELEMENTS];
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a.h5"), &err), SAE_OK);
    saei_hdf5_file *file = saei_reader_state(reader);
    const saei_array_info *info = saei_reader_at(reader, 0);
    saei_chunk_grid grid = saei_chunk_grid_of(&saei_hdf5_file_dataset(file, 0)->packing, info, 0, ROWS);
    ck_assert_int_eq(saei_hdf5_file_find_chunks(places, file, 0, 0, ROWS, &err), SAE_OK);
    for (size_t i = 0; i < grid.n_chunks; i++)
        ck_assert(places[i].bytes > 0 && places[i].at > 0);
    saei_reader_free(reader);
}

/* Chunks behind a block that is the user's, and under the indexes that libhdf5 has for several: fixed and
   extensible array, B-trees of both versions. */
START_TEST(every_index_of_chunks)
{
    static unsigned char values[ELEMENTS * 4];
    fill_bytes(values, sizeof values);
    for (int variant = 0; variant < 8; variant++) {
        layout l = packed;
        l.type = H5T_IEEE_F32LE;
        bool latest = variant & 1;
        int n_unlimited = variant / 2 % 4;
        l.most[0] = n_unlimited > 0 ? H5S_UNLIMITED : ROWS;
        l.most[1] = n_unlimited > 1 ? H5S_UNLIMITED : COLS;
        if (n_unlimited == 3)
            l.chunk[1] = 5;
        hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
        ck_assert_int_ge(H5Pset_userblock(creation, variant < 4 ? 1024 : 0), 0);
        if (latest)
            ck_assert_int_ge(H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST), 0);
        hid_t file = H5Fcreate(temp_path("a.h5"), H5F_ACC_TRUNC, creation, access);
        hid_t set = create(file, &l, NULL);
        ck_assert_int_ge(H5Dwrite(set, l.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
        H5Dclose(set);
        H5Fclose(file);
        H5Pclose(access);
        H5Pclose(creation);
        compare(true);
        if (saei_context_trusts_files(context))
            assert_places_known();
    }
}
END_TEST

/* Writes all chunks as `make` gives them, with a mask of skipped filters. */
static void write_chunks(hid_t set, const unsigned char *bytes, size_t n, uint32_t mask)
{
    for (hsize_t row = 0; row < ROWS; row += 8) {
        const hsize_t at[2] = {row, 0};
        ck_assert_int_ge(H5Dwrite_chunk(set, H5P_DEFAULT, mask, at, n, bytes), 0);
    }
}

START_TEST(filters_that_a_chunk_skipped)
{
    enum { CHUNK = 8 * COLS * 4 };
    unsigned char values[CHUNK], deflated[2 * CHUNK];
    fill_bytes(values, sizeof values);
    for (uint32_t mask = 0; mask < 4; mask++) {
        layout l = packed;
        l.type = H5T_IEEE_F32LE;
        hid_t file = new_file(), set = create(file, &l, NULL);
        uLongf n = sizeof deflated;
        ck_assert_int_eq(compress2(deflated, &n, values, sizeof values, 6), Z_OK);
        write_chunks(set, mask & 2 ? values : deflated, mask & 2 ? sizeof values : n, mask);
        H5Dclose(set);
        H5Fclose(file);
        compare(true);
    }
}
END_TEST

static sae_status read_whole(void)
{
    static float out[ELEMENTS];
    saei_reader *reader;
    saei_inflater *inflater;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a.h5"), &err), SAE_OK);
    ck_assert_int_eq(saei_inflater_new(&inflater, context, BLOCK_MAX, &err), SAE_OK);
    const saei_unpacking how = {inflater, NULL};
    bool finite = true;
    sae_status status =
        saei_reader_unpack_f32(out, &finite, reader, saei_reader_find(reader, "x"), 0, ROWS, &how, &err);
    saei_inflater_free(inflater);
    saei_reader_free(reader);
    return status;
}

/* A chunk that unpacks to too little, too much or nothing, in the middle of good ones. */
START_TEST(damaged_chunks_are_named)
{
    enum { CHUNK = 8 * COLS * 4, BOMB = 1 << 20 };
    unsigned char good[2 * CHUNK], *bomb = calloc(BOMB, 1), *bad = calloc(BOMB, 1);
    uLongf n_good = sizeof good;
    ck_assert_int_eq(compress2(good, &n_good, bomb, CHUNK, 6), Z_OK);
    for (int damage = 0; damage < 6; damage++) {
        layout l = packed;
        l.type = H5T_IEEE_F32LE;
        hid_t file = new_file(), set = create(file, &l, NULL);
        write_chunks(set, good, n_good, 0);
        const hsize_t at[2] = {24, 0};
        uLongf n = BOMB;
        uint32_t mask = 0;
        size_t plain = damage == 0 ? CHUNK - 1 : damage == 1 ? CHUNK + 1 : damage == 2 ? BOMB : CHUNK;
        ck_assert_int_eq(compress2(bad, &n, bomb, plain, 6), Z_OK);
        if (damage == 3)
            n -= 2; /* cut */
        if (damage == 4)
            bad[n - 1] ^= 1; /* checksum */
        if (damage == 5) {
            mask = 2; /* says that it is not deflated */
            n = CHUNK - 4;
        }
        ck_assert_int_ge(H5Dwrite_chunk(set, H5P_DEFAULT, mask, at, n, bad), 0);
        H5Dclose(set);
        H5Fclose(file);
        ck_assert_int_eq(read_whole(), SAE_E_FORMAT);
        ck_assert_msg(strstr(err.text, "a.h5") != NULL && strstr(err.text, "entry 24") != NULL, "%s",
                      err.text);
    }
    free(bomb);
    free(bad);
}
END_TEST

/* Whatever the worker tells of a chunk. */
START_TEST(places_are_not_trusted)
{
    const saei_array_info info = {.name = "x", .dtype = SAEI_F32, .rank = 1, .shape = {16}};
    const saei_hdf5_packing packing = {
        .known = true, .shuffle_at = -1, .deflate_at = 0, .chunk = {16}, .chunk_bytes = 64};
    static const struct {
        saei_chunk_place place;
        sae_status wanted;
        bool done;
    } cases[] = {
        {{.at = 0, .bytes = 64, .mask = 1}, SAE_OK, true}, /* not deflated */
        {{.at = 0, .bytes = 64}, SAE_E_FORMAT, true},
        {{.at = 0, .bytes = 63, .mask = 1}, SAE_E_FORMAT, true},
        {{.at = 40, .bytes = 64, .mask = 1}, SAE_E_FORMAT, true},
        {{.at = 100, .bytes = 64, .mask = 1}, SAE_E_FORMAT, true},
        {{.at = UINT64_MAX - 8, .bytes = 64, .mask = UINT32_MAX}, SAE_E_FORMAT, true},
        {{.at = UINT64_MAX, .bytes = 1}, SAE_E_FORMAT, true},
        {{.at = 0, .bytes = UINT64_MAX}, SAE_E_FORMAT, true},
        {{.at = UINT64_MAX, .bytes = 0}, SAE_OK, false},
    };
    saei_input_file input;
    saei_inflater *inflater;
    temp_write(temp_path("numbers"), (char[100]){0}, 100);
    ck_assert_int_eq(saei_input_file_open(&input, temp_path("numbers"), &err), SAE_OK);
    ck_assert_int_eq(saei_inflater_new(&inflater, context, packing.chunk_bytes, &err), SAE_OK);
    const saei_unpacking how = {inflater, NULL};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float out[16];
        bool done = !cases[i].done, finite = true;
        const saei_hdf5_chunk_read read = {.input = &input,
                                           .info = &info,
                                           .packing = &packing,
                                           .places = &cases[i].place,
                                           .out = out,
                                           .count = 16};
        ck_assert_int_eq(saei_hdf5_read_chunks(&done, &finite, &read, &how, &err), cases[i].wanted);
        ck_assert(done == cases[i].done);
    }
    saei_inflater_free(inflater);
    saei_input_file_close(&input);
}
END_TEST

enum { TINY_CHUNKS = 20000 };

static void write_tiny_chunks(void)
{
    const layout l = {
        .type = H5T_NATIVE_FLOAT, .rank = 1, .shape = {TINY_CHUNKS}, .chunk = {1}, .deflate = true};
    static float values[TINY_CHUNKS];
    for (int i = 0; i < TINY_CHUNKS; i++)
        values[i] = (float)i;
    hid_t file = new_file(), set = create(file, &l, NULL);
    ck_assert_int_ge(H5Dwrite(set, l.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(set);
    H5Fclose(file);
}

/* Reads `count` entries from the `first` on, and checks them. */
static void read_tiny_chunks(saei_reader *reader, const saei_unpacking *how, size_t first, size_t count)
{
    static float out[TINY_CHUNKS];
    bool finite = true;
    const saei_array_info *array = saei_reader_find(reader, "x");
    ck_assert_msg(saei_reader_unpack_f32(out, &finite, reader, array, first, count, how, &err) == SAE_OK,
                  "%s", err.text);
    for (size_t i = 0; i < count; i++)
        ck_assert_float_eq(out[i], (float)(first + i));
}

/* Where the places of all chunks are too many for the memory limit, they are asked for as they are read, or
   libhdf5 reads. */
START_TEST(places_of_chunks_keep_to_the_limit)
{
    write_tiny_chunks();
    for (int limited = 0; limited < 2; limited++) {
        const uint64_t limit = 4 << 20, places = TINY_CHUNKS * sizeof(saei_chunk_place);
        sae_context_options options;
        sae_context_options_init(&options);
        options.trusted = saei_context_trusts_files(context);
        options.memory_limit = limited ? limit : options.memory_limit;
        sae_context *own;
        saei_reader *reader;
        saei_inflater *inflater;
        ck_assert_int_eq(sae_context_new(&own, &options, &err), SAE_OK);
        ck_assert_msg(saei_reader_open(&reader, own, temp_path("a.h5"), &err) == SAE_OK, "%s", err.text);
        ck_assert_int_eq(saei_inflater_new(&inflater, own, 4, &err), SAE_OK);
        ck_assert_ptr_nonnull(inflater);
        const saei_unpacking how = {inflater, NULL};
        uint64_t before = sae_context_memory_used(own);
        read_tiny_chunks(reader, &how, 300, 100);
        ck_assert(limited == (sae_context_memory_used(own) - before < places));
        read_tiny_chunks(reader, &how, 310, 90);
        read_tiny_chunks(reader, &how, 19990, 10);
        read_tiny_chunks(reader, &how, 0, TINY_CHUNKS);
        saei_inflater_free(inflater);
        saei_reader_free(reader);
        ck_assert_uint_eq(sae_context_memory_used(own), 0);
        sae_context_free(own);
    }
}
END_TEST

START_TEST(large_chunks_are_left_to_libhdf5)
{
    saei_inflater *inflater;
    ck_assert_int_eq(saei_inflater_new(&inflater, context, sae_context_memory_limit(context) / 16, &err),
                     SAE_OK);
    ck_assert_ptr_null(inflater);
    ck_assert_int_eq(saei_inflater_new(&inflater, context, 0, &err), SAE_OK);
    ck_assert_ptr_null(inflater);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*make)(void))
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, make, teardown);
    tcase_add_test(tests, any_type_chunk_and_filter);
    tcase_add_test(tests, chunks_never_written_hold_the_fill_value);
    tcase_add_test(tests, every_index_of_chunks);
    tcase_add_test(tests, filters_that_a_chunk_skipped);
    tcase_add_test(tests, damaged_chunks_are_named);
    tcase_add_test(tests, places_are_not_trusted);
    tcase_add_test(tests, places_of_chunks_keep_to_the_limit);
    tcase_add_test(tests, large_chunks_are_left_to_libhdf5);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("hdf5_chunks");
    add_tests(suite, "isolated", setup);
    add_tests(suite, "trusted", setup_trusted);
    return run_suite(suite);
}
