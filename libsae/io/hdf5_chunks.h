/* Packed chunks of an HDF5 dataset, inflated and converted by our threads: libhdf5 has one lock and undoes
   one chunk after the other. */
#ifndef SAEI_HDF5_CHUNKS_H
#define SAEI_HDF5_CHUNKS_H

#include "io/hdf5_guard.h"
#include "io/reader.h"

/* The filters of a dataset whose chunks can be unpacked here: [shuffle], deflate. */
typedef struct saei_hdf5_packing {
    bool known;
    int shuffle_at, deflate_at;          /* place in the list of filters; shuffle_at -1: none */
    uint64_t chunk[SAEI_ARRAY_RANK_MAX]; /* extents */
    uint64_t chunk_bytes;
    bool big_endian;
} saei_hdf5_packing;

/* packing->known = whether the filters of `properties` are such for elements of `item` bytes. */
void saei_hdf5_packing_read(saei_hdf5_packing *packing, hid_t properties, size_t item);

typedef struct saei_hdf5_chunk_read {
    const char *path; /* for messages */
    const saei_array_info *info;
    const saei_hdf5_packing *packing;
    hid_t id; /* the open dataset */
    float *out;
    uint64_t first, count; /* entries of the first axis: whole chunks, or up to the end */
} saei_hdf5_chunk_read;

/* Reads entries as float32. *done = false, with nothing promised of out: a chunk is not there, and libhdf5
   knows its fill value, or what is wrong. To be called without saei_hdf5_enter. SAE_E_FORMAT: the first chunk
   that does not unpack to its size. */
sae_status saei_hdf5_read_chunks(bool *done, const saei_hdf5_chunk_read *read, const saei_unpacking *how,
                                 sae_error *err);

#endif
