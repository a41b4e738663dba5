#include "bench_io_files.h"

#include "base/rng.h"
#include "io/npy_write.h"
#include "io/safetensors.h"
#include "io/zip_write.h"
#include "num/convert.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { COLUMNS = BENCH_IO_COLUMNS, NPY_HEADER = BENCH_IO_NPY_HEADER, CHUNK_ROWS = 256 };

/* A matrix as it goes into the files. */
typedef struct rows_out {
    saei_dtype dtype;
    size_t rows, bytes;
    const void *values;
    unsigned char npy_header[NPY_HEADER];
} rows_out;

static void fail(const char *path)
{
    perror(path);
    exit(1);
}

static void write_npy(const char *path, const rows_out *r)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(r->npy_header, 1, NPY_HEADER, file) != NPY_HEADER ||
        fwrite(r->values, 1, r->bytes, file) != r->bytes || fclose(file) != 0)
        fail(path);
}

static void write_safetensors(const char *path, sae_context *context, const rows_out *r)
{
    const saei_tensor_out tensor = {
        .name = "activations", .dtype = r->dtype, .rank = 2, .shape = {r->rows, COLUMNS}, .data = r->values};
    sae_error err;
    bench_check(saei_safetensors_save(context, path, SAEI_OVERWRITE, &tensor, 1, NULL, 0, &err), &err);
}

static void write_npz(const char *path, sae_context *context, const rows_out *r)
{
    const saei_zip_entry entry = {"activations.npy", r->npy_header, r->values, NPY_HEADER, r->bytes};
    sae_error err;
    bench_check(saei_zip_save(context, path, SAEI_OVERWRITE, &entry, 1, &err), &err);
}

static unsigned char *put(unsigned char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *to++ = (unsigned char)(value >> 8 * i);
    return to;
}

/* What the local header and the directory of an archive have in common: version 2.0, deflated. */
static unsigned char *put_member(unsigned char *to, uLong crc, size_t packed, size_t bytes, size_t name_bytes)
{
    to = put(to, 20, 2);
    to = put(to, 0, 2);
    to = put(to, 8, 2);
    to = put(to, 0, 4);
    to = put(to, crc, 4);
    to = put(to, packed, 4);
    to = put(to, bytes, 4);
    to = put(to, name_bytes, 2);
    return put(to, 0, 2);
}

static size_t deflate_rows(unsigned char *out, size_t room, const rows_out *r)
{
    z_stream stream = {.next_out = out, .avail_out = (uInt)room};
    if (deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        exit(1);
    stream.next_in = (Bytef *)(uintptr_t)r->npy_header;
    stream.avail_in = NPY_HEADER;
    deflate(&stream, Z_NO_FLUSH);
    stream.next_in = (Bytef *)(uintptr_t)r->values;
    stream.avail_in = (uInt)r->bytes;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        exit(1);
    deflateEnd(&stream);
    return stream.total_out;
}

static void write_npz_deflated(const char *path, const rows_out *r)
{
    const char name[] = "activations.npy";
    size_t n = sizeof name - 1, room = r->bytes + r->bytes / 64 + 1024, bytes = NPY_HEADER + r->bytes;
    unsigned char *packed = bench_alloc(room, 1), head[30], end[46 + 22];
    size_t packed_bytes = deflate_rows(packed, room, r);
    uLong crc = crc32(crc32(0, r->npy_header, NPY_HEADER), r->values, (uInt)r->bytes);
    put_member(put(head, 0x04034b50, 4), crc, packed_bytes, bytes, n);
    unsigned char *to = put(put(end, 0x02014b50, 4), 20, 2);
    to = put_member(to, crc, packed_bytes, bytes, n);
    to = put(put(to, 0, 8), 0, 6); /* comment, disk, attributes, place */
    to = put(put(to, 0x06054b50, 4), 0, 4);
    to = put(put(to, 1, 2), 1, 2);
    to = put(put(to, 46 + n, 4), sizeof head + n + packed_bytes, 4);
    put(to, 0, 2);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(head, 1, sizeof head, file) != sizeof head || fwrite(name, 1, n, file) != n ||
        fwrite(packed, 1, packed_bytes, file) != packed_bytes || fwrite(end, 1, 46, file) != 46 ||
        fwrite(name, 1, n, file) != n || fwrite(end + 46, 1, 22, file) != 22 || fclose(file) != 0)
        fail(path);
    free(packed);
}

static hid_t new_type(saei_dtype dtype)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (dtype == SAEI_F16 &&
        (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0))
        exit(1);
    return type;
}

static void write_hdf5(const char *path, const rows_out *r, bool packed)
{
    const hsize_t shape[2] = {r->rows, COLUMNS}, chunk[2] = {CHUNK_ROWS, COLUMNS};
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, shape, NULL);
    if (packed &&
        (H5Pset_chunk(create, 2, chunk) < 0 || H5Pset_shuffle(create) < 0 || H5Pset_deflate(create, 4) < 0))
        exit(1);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), type = new_type(r->dtype);
    hid_t set = H5Dcreate2(file, "activations", type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, r->values) < 0 || H5Dclose(set) < 0 ||
        H5Fclose(file) < 0)
        exit(1);
    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(create);
}

static void fill_halves(uint16_t *out, size_t n)
{
    saei_rng rng = saei_rng_new(0, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = saei_rng_next(&rng), exponent = 11 + (bits >> 20) % 6;
        out[i] = (uint16_t)((bits & 0x83ffu) | exponent << 10);
    }
}

void bench_row_files_write(bench_row_files *files, const char *folder, bool half, size_t rows)
{
    static const char *const names[BENCH_CONTAINERS] = {".npy", ".safetensors",  ".h5",
                                                        ".npz", "_deflated.npz", "_gzip.h5"};
    size_t n = rows * COLUMNS;
    uint16_t *halves = bench_alloc(n, sizeof *halves);
    float *floats = bench_alloc(n, sizeof *floats);
    sae_context *context = bench_context(1);
    fill_halves(halves, n);
    saei_f16_to_f32(floats, halves, n);
    rows_out r = {.dtype = half ? SAEI_F16 : SAEI_F32,
                  .rows = rows,
                  .bytes = n * (half ? sizeof *halves : sizeof *floats),
                  .values = half ? (const void *)halves : floats};
    saei_npy_header(r.npy_header, r.dtype, rows, COLUMNS);
    for (size_t i = 0; i < BENCH_CONTAINERS; i++)
        snprintf(files->paths[i], sizeof files->paths[i], "%s/%s%s", folder, half ? "f16" : "f32", names[i]);
    write_npy(files->paths[BENCH_NPY], &r);
    write_safetensors(files->paths[BENCH_SAFETENSORS], context, &r);
    write_hdf5(files->paths[BENCH_HDF5], &r, false);
    write_npz(files->paths[BENCH_NPZ], context, &r);
    write_npz_deflated(files->paths[BENCH_NPZ_DEFLATED], &r);
    write_hdf5(files->paths[BENCH_HDF5_GZIP], &r, true);
    sae_context_free(context);
    free(halves);
    free(floats);
}

void bench_row_files_remove(const bench_row_files *files)
{
    for (size_t i = 0; i < BENCH_CONTAINERS; i++)
        unlink(files->paths[i]);
}
