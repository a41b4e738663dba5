/* Reading rows as float32 from files in the page cache, against raw copies by as many threads: of the bytes
   in the file, and of as many bytes as are delivered. Packed files against H5Dread: as users read them, in
   the type of the file; then converted by our kernel; and converted by libhdf5. */
#include "bench_io_files.h"

#include "base/parallel.h"
#include "num/convert.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COLUMNS = BENCH_IO_COLUMNS, READ_ROWS = 4096, COPY_BYTES = 1 << 18 };

typedef struct read_arg {
    size_t rows;
    float *out; /* [READ_ROWS, COLUMNS] */

    const sae_dump *dump;

    sae_context *context; /* or, for raw copies */
    int fd;
    size_t row_bytes, first; /* first: of this read */

    hid_t set, type; /* or, for H5Dread */
    bool then_convert;
    void *stored;
} read_arg;

static void read_dump(void *arg)
{
    const read_arg *a = arg;
    sae_error err;
    for (size_t first = 0; first < a->rows; first += READ_ROWS)
        bench_check(sae_dump_read(a->out, a->dump, first, READ_ROWS, &err), &err);
}

static void copy_piece(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const read_arg *a = arg;
    size_t at = task * COPY_BYTES;
    if (pread(a->fd, (char *)a->out + at, COPY_BYTES,
              (off_t)(BENCH_IO_NPY_HEADER + a->first * a->row_bytes + at)) != COPY_BYTES) {
        perror("pread");
        exit(1);
    }
}

static void copy_raw(void *arg)
{
    read_arg *a = arg;
    for (a->first = 0; a->first < a->rows; a->first += READ_ROWS)
        saei_parallel_for(a->context, READ_ROWS * a->row_bytes / COPY_BYTES, copy_piece, a);
}

static void read_hdf5(void *arg)
{
    const read_arg *a = arg;
    const hsize_t count[2] = {READ_ROWS, COLUMNS};
    void *to = a->then_convert ? a->stored : (void *)a->out;
    hid_t space = H5Dget_space(a->set), memory = H5Screate_simple(2, count, NULL);
    for (size_t first = 0; first < a->rows; first += READ_ROWS) {
        const hsize_t start[2] = {first, 0};
        if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
            H5Dread(a->set, a->type, memory, space, H5P_DEFAULT, to) < 0)
            exit(1);
        if (a->then_convert)
            saei_f16_to_f32(a->out, to, (size_t)READ_ROWS * COLUMNS);
    }
    H5Sclose(memory);
    H5Sclose(space);
}

static sae_dump *open_dump(sae_context *context, const char *path)
{
    sae_dump *dump;
    sae_error err;
    bench_check(sae_dump_open(&dump, context, &path, 1, NULL, &err), &err);
    return dump;
}

static int open_raw(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

/* Containers whose rows need no inflating; of float16 rows two copies are raw: works[0] and works[1]. */
static void run_plain(const bench_settings *settings, const bench_row_files *files,
                      const bench_row_files *floats, size_t rows, unsigned threads, float *out)
{
    static const struct {
        bench_container container;
        const char *name;
    } kinds[] = {{BENCH_NPY, "npy"},
                 {BENCH_SAFETENSORS, "safetensors"},
                 {BENCH_HDF5, "hdf5 contiguous"},
                 {BENCH_NPZ, "npz"},
                 {BENCH_NPZ_DEFLATED, "npz deflated"}};
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    bool half = files != floats;
    sae_context *context = bench_context(threads);
    read_arg copies[2] =
        {{.rows = rows, .out = out, .context = context, .row_bytes = COLUMNS * (half ? 2 : 4)},
         {.rows = rows, .out = out, .context = context, .row_bytes = COLUMNS * 4}},
             args[KINDS];
    bench_work works[KINDS + 2] = {{.path = "pread", .run = copy_raw, .arg = &copies[0]},
                                   {.path = "pread of 4 bytes", .run = copy_raw, .arg = &copies[1]}};
    copies[0].fd = open_raw(files->paths[BENCH_NPY]);
    copies[1].fd = open_raw(floats->paths[BENCH_NPY]);
    for (size_t i = 0; i < KINDS; i++) {
        args[i] = (read_arg){
            .dump = open_dump(context, files->paths[kinds[i].container]), .rows = rows, .out = out};
        works[2 + i] = (bench_work){.path = kinds[i].name, .run = read_dump, .arg = &args[i]};
    }
    bench_job job = {half ? "io f16 d=256" : "io f32 d=256", threads, rows, "over_pread",
                     half ? "over_delivered" : NULL};
    /* Both raw copies of float32 rows are one. */
    if (!half)
        works[1] = works[0];
    bench_run(settings, &job, works + !half, KINDS + 1 + half);
    for (size_t i = 0; i < KINDS; i++)
        sae_dump_free((sae_dump *)args[i].dump);
    close(copies[0].fd);
    close(copies[1].fd);
    sae_context_free(context);
}

/* works[0] and works[1]: H5Dread in the type of the file, and that made float32, which is the same for
   float32 files. libhdf5's own conversion of halves takes seconds: it is timed once. */
static void run_packed(const bench_settings *settings, const char *path, bool half, size_t rows,
                       unsigned threads, float *out)
{
    sae_context *context = bench_context_trusted(threads);
    void *stored = bench_alloc((size_t)READ_ROWS * COLUMNS, 2);
    read_arg ours = {.dump = open_dump(context, path), .rows = rows, .out = out};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* libhdf5 opens a file twice only with the same properties. */
    if (H5Pset_file_locking(access, false, true) < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)
        exit(1);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access), set = H5Dopen2(file, "activations", H5P_DEFAULT),
          type = H5Dget_type(set);
    read_arg plain = {.set = set, .type = type, .rows = rows, .out = out}, converted = plain, slow = plain;
    converted.then_convert = true;
    converted.stored = stored;
    slow.type = H5T_NATIVE_FLOAT;
    bench_work works[] = {{.path = "H5Dread", .run = read_hdf5, .arg = &plain},
                          {.path = "H5Dread, then float32", .run = read_hdf5, .arg = &converted},
                          {.path = "hdf5 gzip", .run = read_dump, .arg = &ours},
                          {.path = "H5Dread as float32", .run = read_hdf5, .arg = &slow}};
    bench_job job = {half ? "io f16 gzip d=256" : "io f32 gzip d=256", threads, rows, "over_h5dread",
                     half ? "over_h5dread_f32" : NULL};
    if (!half)
        works[1] = works[0];
    size_t n = !half ? 2 : threads == 1 ? 4 : 3;
    bench_run(settings, &job, works + !half, n);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    H5Pclose(access);
    free(stored);
    sae_dump_free((sae_dump *)ours.dump);
    sae_context_free(context);
}

/* The same dump read in this process and through the worker; works[0] is the former. */
static void run_isolated(const bench_settings *settings, const char *name, const char *path, size_t rows,
                         unsigned threads, float *out)
{
    sae_context *contexts[2] = {bench_context_trusted(threads), bench_context(threads)};
    read_arg args[2];
    for (size_t i = 0; i < 2; i++)
        args[i] = (read_arg){.dump = open_dump(contexts[i], path), .rows = rows, .out = out};
    bench_work works[] = {{.path = "hdf5 trusted", .run = read_dump, .arg = &args[0]},
                          {.path = "hdf5 isolated", .run = read_dump, .arg = &args[1]}};
    bench_job job = {name, threads, rows, "over_trusted", NULL};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    for (size_t i = 0; i < 2; i++) {
        sae_dump_free((sae_dump *)args[i].dump);
        sae_context_free(contexts[i]);
    }
}

void bench_io(const bench_settings *settings)
{
    size_t rows = settings->quick ? 4 * READ_ROWS : 16 * READ_ROWS;
    bench_row_files files[2];
    float *out = bench_alloc((size_t)READ_ROWS * COLUMNS, sizeof *out);
    for (int half = 0; half < 2; half++)
        bench_row_files_write(&files[half], settings->folder, half, rows);
    for (int half = 1; half >= 0; half--) {
        const char *contiguous = files[half].paths[BENCH_HDF5], *gzip = files[half].paths[BENCH_HDF5_GZIP];
        for (unsigned threads = 1; threads <= 2; threads++) {
            run_plain(settings, &files[half], &files[0], rows, threads, out);
            run_isolated(settings, half ? "io f16 contiguous isolated" : "io f32 contiguous isolated",
                         contiguous, rows, threads, out);
            run_packed(settings, gzip, half, rows, threads, out);
            run_isolated(settings, half ? "io f16 gzip isolated" : "io f32 gzip isolated", gzip, rows,
                         threads, out);
        }
    }
    for (int half = 0; half < 2; half++)
        bench_row_files_remove(&files[half]);
    free(out);
}
