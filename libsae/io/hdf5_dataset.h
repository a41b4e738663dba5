/* What is known of a dataset once its file is opened, and how its entries are reached without libhdf5. */
#ifndef SAEI_HDF5_DATASET_H
#define SAEI_HDF5_DATASET_H

#include "io/input_file.h"
#include "io/reader.h"

/* The filters of a dataset whose chunks can be unpacked here: [shuffle], deflate. */
typedef struct saei_hdf5_packing {
    bool known;
    int shuffle_at, deflate_at;          /* place in the list of filters; shuffle_at -1: none */
    uint64_t chunk[SAEI_ARRAY_RANK_MAX]; /* extents */
    uint64_t chunk_bytes;                /* 0: not chunked */
    bool big_endian;
} saei_hdf5_packing;

#define SAEI_HDF5_NOT_PLAIN UINT64_MAX

typedef struct saei_hdf5_dataset {
    saei_hdf5_packing packing;
    uint64_t band_bytes; /* all the chunks that one entry lies in */
    uint64_t offset; /* of its bytes, which lie in one piece as they are, in the file; SAEI_HDF5_NOT_PLAIN */
} saei_hdf5_dataset;

/* Tells the reader's description of an array where its elements lie, if they lie in one piece in the file. */
void saei_hdf5_place(saei_array_info *info, const saei_hdf5_dataset *data, const saei_byte_run *file);

/* Entries of a dataset that has an offset: a plain read. Contract of saei_format.read. */
sae_status saei_hdf5_read_plain(void *out, const saei_input_file *input, const saei_hdf5_dataset *data,
                                const saei_array_info *info, uint64_t first, uint64_t count, sae_error *err);

/* The chunks that hold entries first .. first + count - 1, numbered in the order of storage. */
typedef struct saei_chunk_grid {
    size_t rank, n_chunks;
    uint64_t first;
    uint64_t along[SAEI_ARRAY_RANK_MAX]; /* chunks along each axis, of the first axis those of the range */
    uint64_t chunk[SAEI_ARRAY_RANK_MAX];
} saei_chunk_grid;

/* first: where a chunk begins. */
saei_chunk_grid saei_chunk_grid_of(const saei_hdf5_packing *packing, const saei_array_info *info,
                                   uint64_t first, uint64_t count);

/* Where chunk `index` begins in the array. */
void saei_chunk_grid_start(uint64_t start[SAEI_ARRAY_RANK_MAX], const saei_chunk_grid *grid, size_t index);

/* A chunk as it is stored. Told by the worker too, so any bytes are a value. */
typedef struct saei_chunk_place {
    uint64_t at, bytes; /* in the file; 0 bytes: libhdf5 must read it */
    uint32_t mask;      /* bit i: filter i was skipped */
    uint32_t unused;
} saei_chunk_place;

#endif
