/* Arrays that grow row by row, into a file of any format that holds arrays: declare them, append rows,
 * finish. */
#ifndef SAEI_ARRAY_SINK_H
#define SAEI_ARRAY_SINK_H

#include "io/atomic_file.h"
#include "io/dtype.h"

typedef enum saei_container {
    SAEI_CONTAINER_HDF5,
    SAEI_CONTAINER_NPY, /* one array, no texts */
    SAEI_CONTAINER_NPZ,
    SAEI_CONTAINER_SAFETENSORS,
    SAEI_CONTAINER_TORCH /* unsigned integers become signed ones of the same width */
} saei_container;

/* By the suffix of path: .h5 and .hdf5, .npy, .npz, .safetensors, .pt, in either case. False: another one. */
bool saei_container_of(saei_container *out, const char *path);

/* As many rows as are appended. */
#define SAEI_ROWS_OPEN UINT64_MAX

typedef struct saei_array_plan {
    const char *name; /* copied; slashes make groups in HDF5 */
    saei_dtype dtype; /* SAEI_F16, _BF16, _F32, _F64, _U32 or _U64 */
    uint64_t rows;    /* that will be appended, or SAEI_ROWS_OPEN: these wait in a temporary file beside the
                         output, unless in HDF5 */
    uint64_t columns; /* 0: one-dimensional */
    bool plain; /* HDF5: in one piece, with rows known, rather than packed; for activations, which deflate
                   hardly shrinks */
} saei_array_plan;

typedef struct saei_array_sink saei_array_sink;

/* Begins a file at path, through a saei_atomic_file. The bytes that it will hold depend on the calls alone.
   Not thread-safe per sink. */
sae_status saei_array_sink_open(saei_array_sink **out, sae_context *context, const char *path,
                                saei_container container, saei_replace replace, sae_error *err);
/* Gives up, and leaves no file. NULL is fine. */
void saei_array_sink_discard(saei_array_sink *sink);

/* Texts about the file: HDF5 attributes of the root, metadata of safetensors, texts in the dict of a .pt
   (unless an array has the name), for .npz a JSON object as the comment of the archive, nothing in .npy.
   UTF-8, below 64 kB. Before the first rows, as saei_array_sink_add. */
sae_status saei_array_sink_text(saei_array_sink *sink, const char *name, const char *value, sae_error *err);

/* *out is the number of the array for saei_array_sink_append. SAE_E_ARGUMENT: a name given twice or too long,
   a type that is not written, a second array in .npy. */
sae_status saei_array_sink_add(size_t *out, saei_array_sink *sink, const saei_array_plan *plan,
                               sae_error *err);

/* Appends rows, in the type of the array; all arrays are declared by then. */
sae_status saei_array_sink_append(saei_array_sink *sink, size_t array, const void *rows, uint64_t count,
                                  sae_error *err);

/* The path of the temporary, for a name beside the output. */
const char *saei_array_sink_temporary(const saei_array_sink *sink);

/* Puts the whole file in place. Frees *sink (set to NULL) in every case; once any call failed, this one fails
   too. */
sae_status saei_array_sink_finish(saei_array_sink **sink, sae_error *err);

#endif
