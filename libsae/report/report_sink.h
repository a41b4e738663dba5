/* Results as arrays, in a file of the format that its name says. */
#ifndef SAEI_REPORT_SINK_H
#define SAEI_REPORT_SINK_H

#include "io/array_sink.h"

/* .npz, .safetensors or .pt by the suffix of path; HDF5 for every other. SAE_E_ARGUMENT: .npy, which holds
   one array. */
sae_status saei_report_sink_open(saei_array_sink **out, sae_context *context, const char *path,
                                 bool overwrite, sae_error *err);

/* A text of the file that is a whole number. */
sae_status saei_report_count(saei_array_sink *sink, const char *name, uint64_t value, sae_error *err);

/* A whole array in memory; one-dimensional. */
enum { SAEI_REPORT_ARRAYS_MAX = 64 };
typedef struct saei_report_array {
    const char *name;
    saei_dtype dtype;
    uint64_t n;
    const void *values; /* [n] of the type */
} saei_report_array;

/* Declares arrays [n <= SAEI_REPORT_ARRAYS_MAX] and appends all of each; no others are declared afterwards.
 */
sae_status saei_report_arrays(saei_array_sink *sink, const saei_report_array *arrays, size_t n,
                              sae_error *err);

#endif
