/* Where the worker program is. */
#ifndef SAEI_HDF5_WORKER_PATH_H
#define SAEI_HDF5_WORKER_PATH_H

#include "sae/base.h"

/* Into out [size]: what the context names, else the variable SAE_HDF5_WORKER, else beside the library or in
   the libexec/libsae of its prefix, else where libsae was configured to be installed. SAE_E_NOT_FOUND. */
sae_status saei_hdf5_worker_path(char *out, size_t size, const sae_context *context, sae_error *err);

#endif
