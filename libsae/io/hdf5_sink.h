/* The file driver of hdf5_write.c: libhdf5 never sees a write fail. After a failed write libhdf5 1.10 can
   neither close the file nor end the program without touching freed memory; so the failure is kept here
   instead, for the writer to report. */
#ifndef SAEI_HDF5_SINK_H
#define SAEI_HDF5_SINK_H

#include "io/hdf5_guard.h"

typedef struct saei_hdf5_sink {
    int fd;          /* open for reading and writing; belongs to the caller */
    int write_errno; /* of the first write that failed; 0: none */
} saei_hdf5_sink;

/* Registers the driver; to be given back with H5FDunregister. Negative: it failed. */
hid_t saei_hdf5_sink_register(void);

/* Makes files opened with `access` use *sink, which must outlive them. */
bool saei_hdf5_sink_use(hid_t access, hid_t driver, saei_hdf5_sink *sink);

#endif
