/* Writing HDF5: results that grow block by block, packed with shuffle and gzip, and plain matrices. Nothing
   that the program has not verified by reading it back counts as written. */
#ifndef SAEI_HDF5_WRITE_H
#define SAEI_HDF5_WRITE_H

#include "io/dtype.h"

typedef struct saei_hdf5_writer saei_hdf5_writer;

/* Starts a new HDF5 file at path: the temporary of a saei_atomic_file, whose commit then syncs and renames
   it. Errors call it `shown`. The bytes written depend on the calls alone, not on the time or the machine.
   Not thread-safe per writer. */
sae_status saei_hdf5_writer_open(saei_hdf5_writer **out, sae_context *context, const char *path,
                                 const char *shown, sae_error *err);

/* A dataset without rows yet: [0] for columns == 0, else [0, columns]. dtype: SAEI_F16, SAEI_BF16, SAEI_F32,
   SAEI_F64, SAEI_U32 or SAEI_U64. Slashes in the name make groups. *out is its number for
   saei_hdf5_writer_append. */
sae_status saei_hdf5_writer_add(size_t *out, saei_hdf5_writer *writer, const char *name, saei_dtype dtype,
                                uint64_t columns, sae_error *err);

/* The same for a dataset that is not packed and lies in one piece, with all its rows: so many must be
   appended. For activations, which deflate hardly shrinks. */
sae_status saei_hdf5_writer_add_plain(size_t *out, saei_hdf5_writer *writer, const char *name,
                                      saei_dtype dtype, uint64_t rows, uint64_t columns, sae_error *err);

/* Appends rows to a dataset, in its own type. */
sae_status saei_hdf5_writer_append(saei_hdf5_writer *writer, size_t dataset, const void *rows, uint64_t count,
                                   sae_error *err);

/* A text attribute (UTF-8, below 64 kB) of the file. */
sae_status saei_hdf5_writer_attribute(saei_hdf5_writer *writer, const char *name, const char *value,
                                      sae_error *err);

/* Closes the file, opens it again and compares every dataset with what was appended (shape and CRC): libhdf5
   can lose data on a full disk without an error. Frees *writer (set to NULL) in every case; once any call
   failed, this one fails too. */
sae_status saei_hdf5_writer_finish(saei_hdf5_writer **writer, sae_error *err);

/* Gives up; the file is left unusable for its owner to remove. NULL is fine. */
void saei_hdf5_writer_discard(saei_hdf5_writer *writer);

#endif
