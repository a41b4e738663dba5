/* Reading rows as float32 from files in the page cache, against pread of the same elements as stored; packed
   files also against H5Dread, which leaves them in the type of the file. */
#include "bench.h"

#include "base/rng.h"
#include "num/convert.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 256, CHUNK_ROWS = 256, READ_ROWS = 4096, NPY_HEADER = 128 };

/* The same rows in three files. */
typedef struct row_files {
    char npy[600], contiguous[600], gzip[600];
} row_files;

static void fail(const char *path)
{
    perror(path);
    exit(1);
}

static void write_npy(const char *path, const char *descr, const void *values, size_t rows, size_t element)
{
    char header[NPY_HEADER + 1] = "\x93NUMPY\x01";
    header[8] = NPY_HEADER - 10;
    int n = snprintf(header + 10, NPY_HEADER - 10,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%zu, %d), }", descr, rows, COLUMNS);
    memset(header + 10 + n, ' ', (size_t)(NPY_HEADER - 11 - n));
    header[NPY_HEADER - 1] = '\n';
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(header, 1, NPY_HEADER, file) != NPY_HEADER ||
        fwrite(values, element, rows * COLUMNS, file) != rows * COLUMNS || fclose(file) != 0)
        fail(path);
}

static void write_hdf5(const char *path, hid_t type, const void *values, size_t rows, bool packed)
{
    const hsize_t shape[2] = {rows, COLUMNS}, chunk[2] = {CHUNK_ROWS, COLUMNS};
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, shape, NULL);
    if (packed &&
        (H5Pset_chunk(create, 2, chunk) < 0 || H5Pset_shuffle(create) < 0 || H5Pset_deflate(create, 4) < 0))
        exit(1);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t set = H5Dcreate2(file, "activations", type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0 || H5Dclose(set) < 0 ||
        H5Fclose(file) < 0)
        exit(1);
    H5Sclose(space);
    H5Pclose(create);
}

static hid_t new_half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0)
        exit(1);
    return type;
}

/* Halves between 2^-4 and 4 in magnitude, of either sign: about as compressible as activations. */
static void fill_halves(uint16_t *out, size_t n)
{
    saei_rng rng = saei_rng_new(0, SAEI_STREAM_ROWS, 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = saei_rng_next(&rng), exponent = 11 + (bits >> 20) % 6;
        out[i] = (uint16_t)((bits & 0x83ffu) | exponent << 10);
    }
}

static void write_files(row_files *files, const char *folder, bool half, size_t rows)
{
    size_t n = rows * COLUMNS;
    const char *dtype = half ? "f16" : "f32";
    snprintf(files->npy, sizeof files->npy, "%s/%s.npy", folder, dtype);
    snprintf(files->contiguous, sizeof files->contiguous, "%s/%s.h5", folder, dtype);
    snprintf(files->gzip, sizeof files->gzip, "%s/%s_gzip.h5", folder, dtype);
    uint16_t *halves = bench_alloc(n, sizeof *halves);
    float *floats = bench_alloc(n, sizeof *floats);
    fill_halves(halves, n);
    saei_f16_to_f32(floats, halves, n);
    const void *values = half ? (const void *)halves : floats;
    hid_t type = half ? new_half_type() : H5Tcopy(H5T_IEEE_F32LE);
    write_npy(files->npy, half ? "<f2" : "<f4", values, rows, half ? 2 : 4);
    write_hdf5(files->contiguous, type, values, rows, false);
    write_hdf5(files->gzip, type, values, rows, true);
    H5Tclose(type);
    free(halves);
    free(floats);
}

typedef struct read_arg {
    const sae_dump *dump; /* or, for pread: */
    int fd;
    size_t row_bytes;
    hid_t set; /* or, for H5Dread */
    size_t rows;
    float *out; /* [READ_ROWS, COLUMNS] */
} read_arg;

static void read_dump(void *arg)
{
    const read_arg *a = arg;
    sae_error err;
    for (size_t first = 0; first < a->rows; first += READ_ROWS)
        bench_check(sae_dump_read(a->out, a->dump, first, READ_ROWS, &err), &err);
}

static void read_plain(void *arg)
{
    const read_arg *a = arg;
    size_t bytes = READ_ROWS * a->row_bytes;
    for (size_t first = 0; first < a->rows; first += READ_ROWS)
        if (pread(a->fd, a->out, bytes, (off_t)(NPY_HEADER + first * a->row_bytes)) != (ssize_t)bytes)
            fail("pread");
}

static void read_hdf5(void *arg)
{
    const read_arg *a = arg;
    const hsize_t count[2] = {READ_ROWS, COLUMNS};
    hid_t type = H5Dget_type(a->set), space = H5Dget_space(a->set), memory = H5Screate_simple(2, count, NULL);
    for (size_t first = 0; first < a->rows; first += READ_ROWS) {
        const hsize_t start[2] = {first, 0};
        if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
            H5Dread(a->set, type, memory, space, H5P_DEFAULT, a->out) < 0)
            exit(1);
    }
    H5Sclose(memory);
    H5Sclose(space);
    H5Tclose(type);
}

static void run_packed(const bench_settings *settings, const char *path, bool half, size_t rows,
                       unsigned threads)
{
    sae_context *context = bench_context(threads);
    sae_dump *dump;
    sae_error err;
    bench_check(sae_dump_open(&dump, context, &path, 1, NULL, &err), &err);
    float *out = bench_alloc((size_t)READ_ROWS * COLUMNS, sizeof *out);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* libhdf5 opens a file twice only with the same properties. */
    if (H5Pset_file_locking(access, false, true) < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)
        exit(1);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access), set = H5Dopen2(file, "activations", H5P_DEFAULT);
    read_arg plain = {.set = set, .rows = rows, .out = out}, ours = {.dump = dump, .rows = rows, .out = out};
    bench_work works[] = {{.path = "H5Dread", .run = read_hdf5, .arg = &plain},
                          {.path = "hdf5 gzip", .run = read_dump, .arg = &ours}};
    bench_job job = {half ? "io f16 gzip d=256" : "io f32 gzip d=256", threads, rows, "over_h5dread"};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    H5Dclose(set);
    H5Fclose(file);
    H5Pclose(access);
    free(out);
    sae_dump_free(dump);
    sae_context_free(context);
}

/* The same dump read in this process and through the worker; works[0] is the former. */
static void run_isolated(const bench_settings *settings, const char *name, const char *path, size_t rows,
                         unsigned threads)
{
    sae_context *contexts[2] = {bench_context_trusted(threads), bench_context(threads)};
    sae_dump *dumps[2];
    read_arg args[2];
    float *out = bench_alloc((size_t)READ_ROWS * COLUMNS, sizeof *out);
    for (size_t i = 0; i < 2; i++) {
        sae_error err;
        bench_check(sae_dump_open(&dumps[i], contexts[i], &path, 1, NULL, &err), &err);
        args[i] = (read_arg){.dump = dumps[i], .rows = rows, .out = out};
    }
    bench_work works[] = {{.path = "hdf5 trusted", .run = read_dump, .arg = &args[0]},
                          {.path = "hdf5 isolated", .run = read_dump, .arg = &args[1]}};
    bench_job job = {name, threads, rows, "over_trusted"};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    for (size_t i = 0; i < 2; i++) {
        sae_dump_free(dumps[i]);
        sae_context_free(contexts[i]);
    }
    free(out);
}

static void run_dtype(const bench_settings *settings, bool half)
{
    enum { FILES = 3 };
    size_t rows = settings->quick ? 4 * READ_ROWS : 16 * READ_ROWS;
    row_files files;
    write_files(&files, settings->folder, half, rows);
    const char *const paths[FILES] = {files.npy, files.contiguous, files.gzip};
    sae_context *context = bench_context(1);
    sae_dump *dumps[FILES];
    float *out = bench_alloc((size_t)READ_ROWS * COLUMNS, sizeof *out);
    sae_error err;
    read_arg args[FILES + 1] = {
        {.fd = open(files.npy, O_RDONLY), .row_bytes = COLUMNS * (half ? 2 : 4), .rows = rows, .out = out}};
    if (args[0].fd < 0)
        fail(files.npy);
    for (size_t i = 0; i < FILES; i++) {
        bench_check(sae_dump_open(&dumps[i], context, &paths[i], 1, NULL, &err), &err);
        args[i + 1] = (read_arg){.dump = dumps[i], .rows = rows, .out = out};
    }
    bench_work works[] = {{.path = "pread", .run = read_plain, .arg = &args[0]},
                          {.path = "npy", .run = read_dump, .arg = &args[1]},
                          {.path = "hdf5 contiguous", .run = read_dump, .arg = &args[2]},
                          {.path = "hdf5 gzip", .run = read_dump, .arg = &args[3]}};
    bench_job job = {half ? "io f16 d=256" : "io f32 d=256", 1, rows, "over_pread"};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    for (unsigned threads = 1; threads <= 2; threads++) {
        run_packed(settings, files.gzip, half, rows, threads);
        run_isolated(settings, half ? "io f16 gzip isolated" : "io f32 gzip isolated", files.gzip, rows,
                     threads);
    }
    run_isolated(settings, half ? "io f16 contiguous isolated" : "io f32 contiguous isolated",
                 files.contiguous, rows, 1);
    for (size_t i = 0; i < FILES; i++) {
        sae_dump_free(dumps[i]);
        unlink(paths[i]);
    }
    close(args[0].fd);
    free(out);
    sae_context_free(context);
}

void bench_io(const bench_settings *settings)
{
    run_dtype(settings, true);
    run_dtype(settings, false);
}
