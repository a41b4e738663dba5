/* The arrays and attributes of an HDF5 file as bytes, from the worker to us. */
#ifndef SAEI_HDF5_LISTING_H
#define SAEI_HDF5_LISTING_H

#include "io/hdf5_dataset.h"

typedef struct saei_hdf5_file saei_hdf5_file;

/* *out is saei_alloc'ed with the context of the reader that the file belongs to. */
sae_status saei_hdf5_listing_write(unsigned char **out, size_t *bytes, const saei_hdf5_file *file,
                                   sae_error *err);

/* Adds what is listed to the reader, and gives its datasets, saei_alloc'ed, in the order of the arrays.
   Nothing is believed: whatever no honest worker says about the file is SAE_E_FORMAT. */
sae_status saei_hdf5_listing_read(saei_hdf5_dataset **out, saei_reader *reader, const unsigned char *listing,
                                  size_t bytes, sae_error *err);

#endif
