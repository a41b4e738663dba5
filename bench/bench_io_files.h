/* The same rows in every container, for the readers. */
#ifndef BENCH_IO_FILES_H
#define BENCH_IO_FILES_H

#include "bench.h"

enum { BENCH_IO_COLUMNS = 256, BENCH_IO_NPY_HEADER = 128 };

typedef enum bench_container {
    BENCH_NPY,
    BENCH_SAFETENSORS,
    BENCH_HDF5,
    BENCH_NPZ,
    BENCH_NPZ_DEFLATED,
    BENCH_HDF5_GZIP,
    BENCH_CONTAINERS
} bench_container;

typedef struct bench_row_files {
    char paths[BENCH_CONTAINERS][600];
} bench_row_files;

/* Writes rows of float16 or float32 values of about the compressibility of activations: random signs and
   fractions of halves, magnitudes between 2^-4 and 4. HDF5 in chunks of 256 rows, shuffled, gzip level 4;
   .npz deflated at level 6 like NumPy's. Ends the program when it fails. */
void bench_row_files_write(bench_row_files *files, const char *folder, bool half, size_t rows);
void bench_row_files_remove(const bench_row_files *files);

#endif
