/* Packed chunks of an HDF5 dataset, inflated and converted by our threads: libhdf5 has one lock and undoes
   one chunk after the other. */
#ifndef SAEI_HDF5_CHUNKS_H
#define SAEI_HDF5_CHUNKS_H

#include "io/hdf5_dataset.h"

typedef struct saei_hdf5_chunk_read {
    const saei_input_file *input;
    const saei_array_info *info;
    const saei_hdf5_packing *packing;
    const saei_chunk_place *places; /* of the chunks of the read, in their order; not trusted */
    float *out;
    uint64_t first, count; /* entries of the first axis: whole chunks, or up to the end */
} saei_hdf5_chunk_read;

/* Whether entries first .. first + count - 1 can be read so. */
bool saei_hdf5_whole_chunks(const saei_hdf5_packing *packing, const saei_array_info *info, uint64_t first,
                            uint64_t count);

/* Reads entries as float32; *finite becomes false when one is NaN or infinite. *done = false, with nothing
   promised of out and *finite: a chunk is not there, and libhdf5 knows its fill value, or what is wrong.
   SAE_E_FORMAT: the first chunk that does not unpack to its size. */
sae_status saei_hdf5_read_chunks(bool *done, bool *finite, const saei_hdf5_chunk_read *read,
                                 const saei_unpacking *how, sae_error *err);

#endif
