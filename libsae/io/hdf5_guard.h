/* Entering and leaving libhdf5. Only the files hdf5* of this folder include this file, and nothing else sees
   hdf5.h. */
#ifndef SAEI_HDF5_GUARD_H
#define SAEI_HDF5_GUARD_H

/* Newer libraries keep the interface of 1.10 under this name. */
#define H5_USE_110_API
#include <hdf5.h>

#include "sae/base.h"

/* The settings of the program we run in, put back when we leave. */
typedef struct saei_hdf5_guard {
    H5E_auto2_t report;
    void *report_data;
    unsigned plugins;
    bool silenced, without_plugins;
} saei_hdf5_guard;

/* Holds the one lock around libhdf5, switches off its printing of errors and the loading of plugins. Not
   recursive. */
saei_hdf5_guard saei_hdf5_enter(void);
void saei_hdf5_leave(saei_hdf5_guard guard);

/* As saei_fail, and appends what libhdf5 says about the innermost failure. */
sae_status saei_hdf5_fail(sae_error *err, sae_status status, const char *format, ...) SAE_PRINTF(3, 4);

#endif
