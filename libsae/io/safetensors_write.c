#include "base/error.h"
#include "base/memory.h"
#include "io/safetensors.h"
#include "io/safetensors_band.h"
#include "io/safetensors_dtype.h"
#include "num/transpose.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The order of the data: wide elements first keep every tensor aligned, names settle the rest. */
static int by_alignment_then_name(const void *a, const void *b)
{
    const saei_tensor_out *x = a, *y = b;
    size_t wide_x = saei_dtype_size(x->dtype), wide_y = saei_dtype_size(y->dtype);
    if (wide_x != wide_y)
        return wide_x > wide_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const saei_metadata *)a)->key, ((const saei_metadata *)b)->key);
}

static const char *dtype_name(saei_dtype dtype)
{
    size_t i = 0;
    while (saei_safetensors_dtypes[i].dtype != dtype)
        i++;
    return saei_safetensors_dtypes[i].name;
}

static bool tensor_bytes(uint64_t *out, const saei_tensor_out *tensor)
{
    *out = saei_dtype_size(tensor->dtype);
    for (size_t axis = 0; axis < tensor->rank; axis++)
        if (__builtin_mul_overflow(*out, tensor->shape[axis], out))
            return false;
    return *out <= SIZE_MAX / 2;
}

/* Adds value under key and takes it over; false: no memory, text that is not UTF-8, or a key used twice. */
static bool add_new(json_t *object, const char *key, json_t *value)
{
    if (value == NULL || json_object_get(object, key) != NULL) {
        json_decref(value);
        return false;
    }
    return json_object_set_new(object, key, value) == 0;
}

static json_t *describe_metadata(const saei_metadata *metadata, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; object != NULL && i < n; i++)
        if (!add_new(object, metadata[i].key, json_string(metadata[i].value))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *describe_tensor(const saei_tensor_out *tensor, uint64_t begin, uint64_t end)
{
    json_t *shape = json_array();
    for (size_t axis = 0; shape != NULL && axis < tensor->rank; axis++)
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[axis])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)end);
}

sae_status saei_safetensors_header(char **out, const char *path, const saei_tensor_out *tensors,
                                   size_t n_tensors, const saei_metadata *metadata, size_t n_metadata,
                                   sae_error *err)
{
    *out = NULL;
    sae_status status = SAE_OK;
    uint64_t offset = 0;
    json_t *header = json_object();
    if (header == NULL)
        return saei_fail(err, SAE_E_MEMORY, "%s: out of memory for its header", path);
    if (n_metadata > 0 && !add_new(header, "__metadata__", describe_metadata(metadata, n_metadata)))
        status =
            saei_fail(err, SAE_E_ARGUMENT, "%s: metadata with a key twice or text that is not UTF-8", path);
    for (size_t i = 0; status == SAE_OK && i < n_tensors; i++) {
        uint64_t bytes, end = 0;
        if (tensors[i].rank > SAEI_TENSOR_RANK_MAX || !tensor_bytes(&bytes, &tensors[i]) ||
            __builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
            status = saei_fail(err, SAE_E_ARGUMENT, "%s: tensor %.80s is too large", path, tensors[i].name);
        else if (!add_new(header, tensors[i].name, describe_tensor(&tensors[i], offset, end)))
            status = saei_fail(err, SAE_E_ARGUMENT, "%s: tensor %.80s: a name given twice or not UTF-8", path,
                               tensors[i].name);
        offset = end;
    }
    if (status == SAE_OK && (*out = json_dumps(header, JSON_COMPACT)) == NULL)
        status = saei_fail(err, SAE_E_MEMORY, "%s: out of memory for its header", path);
    json_decref(header);
    return status;
}

static sae_status write_transposed(saei_atomic_file *file, sae_context *context,
                                   const saei_tensor_out *tensor, sae_error *err)
{
    size_t rows = (size_t)tensor->shape[0], cols = (size_t)tensor->shape[1];
    size_t at_once = saei_safetensors_band_rows(rows, cols);
    const float *data = tensor->data;
    float *band;
    sae_status status = saei_alloc(&band, context, saei_mul(at_once, cols), sizeof *band, err);
    for (size_t first = 0; status == SAE_OK && first < rows; first += at_once) {
        size_t n = rows - first < at_once ? rows - first : at_once;
        saei_transpose(band, cols, data + first, rows, cols, n);
        status = saei_atomic_file_write(file, band, n * cols * sizeof *band, err);
    }
    saei_free(context, band);
    return status;
}

static sae_status write_tensor(saei_atomic_file *file, sae_context *context, const saei_tensor_out *tensor,
                               sae_error *err)
{
    if (tensor->transposed) {
        assert(tensor->rank == 2 && tensor->dtype == SAEI_F32);
        return write_transposed(file, context, tensor, err);
    }
    uint64_t bytes = 0;
    tensor_bytes(&bytes, tensor);
    return saei_atomic_file_write(file, tensor->data, (size_t)bytes, err);
}

static sae_status write_file(saei_atomic_file *file, sae_context *context, const char *header,
                             const saei_tensor_out *tensors, size_t n_tensors, sae_error *err)
{
    /* Spaces bring the data to a multiple of 8 bytes. */
    static const char spaces[8] = "       ";
    uint64_t length = strlen(header), padding = (8 - length % 8) % 8, padded = length + padding;
    sae_status status = saei_atomic_file_write(file, &padded, sizeof padded, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, header, (size_t)length, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, spaces, (size_t)padding, err);
    for (size_t i = 0; status == SAE_OK && i < n_tensors; i++)
        status = write_tensor(file, context, &tensors[i], err);
    return status;
}

sae_status saei_safetensors_save(sae_context *context, const char *path, saei_replace replace,
                                 const saei_tensor_out *tensors, size_t n_tensors,
                                 const saei_metadata *metadata, size_t n_metadata, sae_error *err)
{
    saei_tensor_out *order = NULL;
    saei_metadata *sorted = NULL;
    char *header = NULL;
    saei_atomic_file *file = NULL;
    sae_status status = saei_alloc(&order, context, n_tensors, sizeof *order, err);
    if (status != SAE_OK)
        goto done;
    status = saei_alloc(&sorted, context, n_metadata, sizeof *sorted, err);
    if (status != SAE_OK)
        goto done;
    for (size_t i = 0; i < n_tensors; i++)
        order[i] = tensors[i];
    qsort(order, n_tensors, sizeof *order, by_alignment_then_name);
    for (size_t i = 0; i < n_metadata; i++)
        sorted[i] = metadata[i];
    qsort(sorted, n_metadata, sizeof *sorted, by_key);
    status = saei_safetensors_header(&header, path, order, n_tensors, sorted, n_metadata, err);
    if (status != SAE_OK)
        goto done;
    status = saei_atomic_file_open(&file, context, path, replace, err);
    if (status == SAE_OK)
        status = write_file(file, context, header, order, n_tensors, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
done:
    saei_atomic_file_discard(file);
    free(header);
    saei_free(context, sorted);
    saei_free(context, order);
    return status;
}
