/* An HDF5 file in the hands of libhdf5, in whatever process: the worker's, or ours for files that are
   trusted. Enters and leaves libhdf5 by itself. */
#ifndef SAEI_HDF5_FILE_H
#define SAEI_HDF5_FILE_H

#include "io/hdf5_chunk_table.h"

typedef struct saei_hdf5_file saei_hdf5_file;

/* Opens the file at the path of the reader, and adds to the reader its datasets of numbers and the attributes
   of its root. Refused: virtual datasets, data in other files, filters other than deflate, shuffle,
   fletcher32 and scale-offset (SAE_E_UNSUPPORTED), sizes that the file cannot hold (SAE_E_FORMAT). Links that
   leave the file are passed over. */
sae_status saei_hdf5_file_open(saei_hdf5_file **out, saei_reader *reader, sae_error *err);
void saei_hdf5_file_close(saei_hdf5_file *file);

const saei_reader *saei_hdf5_file_reader(const saei_hdf5_file *file);
/* array: as in the reader. */
const saei_hdf5_dataset *saei_hdf5_file_dataset(const saei_hdf5_file *file, size_t array);

/* Contract of saei_format.read. SAE_E_MEMORY: a chunk, thrice, passes what the limit leaves. */
sae_status saei_hdf5_file_read(void *out, saei_hdf5_file *file, size_t array, uint64_t first, uint64_t count,
                               sae_error *err);

/* Where the chunks of entries first .. first + count - 1 lie in the file; libhdf5 does not read them. `first`
   is where a chunk begins. */
sae_status saei_hdf5_file_find_chunks(saei_chunk_place *out, saei_hdf5_file *file, size_t array,
                                      uint64_t first, uint64_t count, sae_error *err);
/* Of this file; filled by saei_hdf5_file_find_chunks. */
saei_chunk_table *saei_hdf5_file_chunk_table(saei_hdf5_file *file);

#endif
