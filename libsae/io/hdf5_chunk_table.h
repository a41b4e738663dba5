/* Where the packed chunks of the dataset read last lie. libhdf5, or the worker that has it, is asked once for
   all of them, since a question to the worker takes as long as inflating a chunk or two; for a part at a time
   where all would take much of the memory limit. */
#ifndef SAEI_HDF5_CHUNK_TABLE_H
#define SAEI_HDF5_CHUNK_TABLE_H

#include "io/hdf5_dataset.h"

typedef struct saei_chunk_table {
    const saei_reader *reader;
    /* Finds the chunks that hold entries first .. first + count - 1, in the order of storage; `first` is
       where a chunk begins. */
    sae_status (*find)(saei_chunk_place *out, void *state, size_t array, uint64_t first, uint64_t count,
                       sae_error *err);
    void *state;
    saei_chunk_place *places; /* of these: */
    size_t array;
    uint64_t first, count; /* count 0: none */
} saei_chunk_table;

void saei_chunk_table_clear(saei_chunk_table *table);

/* Contract of saei_format.unpack, for array `array`, which is *data. */
sae_status saei_chunk_table_unpack(bool *done, float *out, bool *finite, saei_chunk_table *table,
                                   const saei_hdf5_dataset *data, size_t array, uint64_t first,
                                   uint64_t count, const saei_unpacking *how, sae_error *err);

#endif
