/* HDF5 as a format of the reader, with libhdf5 in a worker process. */
#ifndef SAEI_HDF5_ISOLATED_H
#define SAEI_HDF5_ISOLATED_H

#include "io/reader_format.h"

/* As saei_hdf5_open. Beside its errors: those of saei_hdf5_link. */
sae_status saei_hdf5_open_isolated(saei_reader *reader, sae_error *err);

#endif
