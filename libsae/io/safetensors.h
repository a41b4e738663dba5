/* safetensors: a JSON header and one byte buffer. */
#ifndef SAEI_SAFETENSORS_H
#define SAEI_SAFETENSORS_H

#include "io/atomic_file.h"
#include "io/elements.h"

enum { SAEI_TENSOR_RANK_MAX = 8 };

typedef struct saei_tensor_info {
    const char *name;
    saei_dtype dtype;
    size_t rank;
    uint64_t shape[SAEI_TENSOR_RANK_MAX];
    uint64_t elements;
} saei_tensor_info;

/* An open file whose header was checked whole: extents in order, without gaps or overlap, within the file. */
typedef struct saei_safetensors saei_safetensors;

sae_status saei_safetensors_open(saei_safetensors **out, sae_context *context, const char *path,
                                 sae_error *err);
void saei_safetensors_free(saei_safetensors *file);
size_t saei_safetensors_count(const saei_safetensors *file);
const saei_tensor_info *saei_safetensors_at(const saei_safetensors *file, size_t i);
const saei_tensor_info *saei_safetensors_find(const saei_safetensors *file,
                                              const char *name); /* NULL: absent */
size_t saei_safetensors_metadata_count(const saei_safetensors *file);
const char *saei_safetensors_metadata_key(const saei_safetensors *file, size_t i);
const char *saei_safetensors_metadata_value(const saei_safetensors *file, size_t i);
const char *saei_safetensors_metadata(const saei_safetensors *file, const char *key); /* NULL: absent */

/* Reads a whole tensor as stored, little-endian; bytes must be elements * size of its dtype. */
sae_status saei_safetensors_read_raw(void *out, const saei_safetensors *file, const saei_tensor_info *tensor,
                                     size_t bytes, sae_error *err);
/* Reads `bytes` bytes of a tensor, from byte `first` of it on. Thread-safe. */
sae_status saei_safetensors_read_part(void *out, const saei_safetensors *file, const saei_tensor_info *tensor,
                                      uint64_t first, size_t bytes, sae_error *err);
/* Where the elements of a tensor lie; lives as long as the file. */
saei_elements saei_safetensors_elements(const saei_safetensors *file, const saei_tensor_info *tensor);
/* Reads a whole tensor of any float or integer dtype as float32. */
sae_status saei_safetensors_read_f32(float *out, const saei_safetensors *file, const saei_tensor_info *tensor,
                                     sae_error *err);
/* Reads a matrix [rows, cols] as float32 into its transpose, out [cols, rows]; beside that, memory for a few
   rows. */
sae_status saei_safetensors_read_transposed(float *out, const saei_safetensors *file,
                                            const saei_tensor_info *tensor, sae_error *err);

/* One tensor to write: data as stored, little-endian. A float32 matrix may be given as its transpose. */
typedef struct saei_tensor_out {
    const char *name;
    saei_dtype dtype;
    size_t rank;
    uint64_t shape[SAEI_TENSOR_RANK_MAX];
    const void *data;
    bool transposed; /* data is [shape[1], shape[0]] */
} saei_tensor_out;

typedef struct saei_metadata {
    const char *key, *value;
} saei_metadata;

/* Writes a whole file, crash-safe. The bytes depend on the arguments alone: tensors by alignment, then name;
   metadata sorted by key. */
sae_status saei_safetensors_save(sae_context *context, const char *path, saei_replace replace,
                                 const saei_tensor_out *tensors, size_t n_tensors,
                                 const saei_metadata *metadata, size_t n_metadata, sae_error *err);

/* The JSON of the header, to be freed with free(), of tensors whose data lie in this order without gaps (`data` is
   not looked at). SAE_E_ARGUMENT: a name or key given twice, or text that is not UTF-8. */
sae_status saei_safetensors_header(char **out, const char *path, const saei_tensor_out *tensors,
                                   size_t n_tensors, const saei_metadata *metadata, size_t n_metadata,
                                   sae_error *err);

#endif
