/* How libhdf5 reads an input file: through a descriptor that is open already, so that it sees the very file
   that was looked at before. It can also tell where a chunk lies: H5Dget_chunk_info of
   libhdf5 1.10 walks over all chunks for each of them. */
#ifndef SAEI_HDF5_SOURCE_H
#define SAEI_HDF5_SOURCE_H

#include "io/hdf5_guard.h"
#include "io/input_file.h"

typedef struct saei_hdf5_source {
    const saei_input_file *input; /* borrowed */
    hid_t driver;                 /* 0: none */
    /* What libhdf5 would read to here is counted instead; `at` and `bytes` are those of the last. */
    unsigned char nowhere;
    unsigned n_noted;
    uint64_t at, bytes;
} saei_hdf5_source;

/* Files opened with the access properties are read from *source, which must outlive them; the name given to
   H5Fopen is not used. False: libhdf5 failed. */
bool saei_hdf5_source_use(hid_t access, saei_hdf5_source *source);

/* Once the files are closed: libhdf5 looks at the driver of a file after it has let go of it. */
void saei_hdf5_source_end(saei_hdf5_source *source);

#endif
