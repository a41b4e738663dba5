/* Columns in the HDF5 files we write: token ids and labels were integers in the dump, and stay integers. */
#ifndef SAEI_WRITE_COLUMN_H
#define SAEI_WRITE_COLUMN_H

#include "io/hdf5_write.h"

/* Whether all values are whole numbers of 0 .. 2^53 - 1, to be written as SAEI_U64, else as SAEI_F64. */
bool saei_are_counts(const double *values, size_t n);

/* Appends the values to a dataset of SAEI_U64 (counts) or SAEI_F64. The values are used up. */
sae_status saei_append_column(saei_hdf5_writer *writer, size_t dataset, double *values, size_t n, bool counts,
                              sae_error *err);

#endif
