#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/input_file.h"
#include "io/safetensors.h"
#include "io/safetensors_band.h"
#include "io/safetensors_dtype.h"
#include "num/transpose.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The format's own limit on a header. */
static const uint64_t header_bytes_max = 100000000;
/* jansson's tree, which our allocator does not see, stays below this many bytes for each byte of header. */
static const uint64_t tree_bytes_per_byte = 100;

typedef struct tensor {
    saei_tensor_info info;
    uint64_t begin, end; /* bytes of the data buffer */
} tensor;

struct saei_safetensors {
    sae_context *context;
    saei_input_file input;
    saei_byte_run run; /* all of input */
    char *path;
    uint64_t data_start;
    json_t *header; /* owns the names and the metadata */
    tensor *tensors;
    size_t n_tensors;
    saei_metadata *metadata;
    size_t n_metadata;
};

static sae_status read_header(saei_safetensors *file, sae_error *err)
{
    const saei_input_file *input = &file->input;
    unsigned char head[8];
    if (input->bytes < sizeof head)
        return saei_input_file_refuse(input, "a safetensors file", err);
    sae_status status = saei_input_file_read(head, input, 0, sizeof head, err);
    if (status != SAE_OK)
        return status;
    uint64_t length;
    memcpy(&length, head, sizeof length);
    if (length > header_bytes_max || length > input->bytes - sizeof head)
        return saei_input_file_refuse(input, "a safetensors file, or cut off: the header passes its end",
                                      err);
    if (length * tree_bytes_per_byte > saei_memory_left(file->context))
        return saei_fail(err, SAE_E_MEMORY, "%s: its header of %.1f MB is too large for the memory limit",
                         file->path, (double)length / 1e6);
    char *text;
    status = saei_alloc(&text, file->context, (size_t)length, 1, err);
    if (status != SAE_OK)
        return status;
    status = saei_input_file_read(text, input, sizeof head, (size_t)length, err);
    if (status == SAE_OK) {
        json_error_t problem;
        file->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
        if (file->header == NULL)
            status = saei_fail_at(err, SAE_E_FORMAT, 8 + (int64_t)problem.position, "%s: header: %s",
                                  file->path, problem.text);
        else if (!json_is_object(file->header))
            status = saei_fail_at(err, SAE_E_FORMAT, 8, "%s: the header is not a JSON object", file->path);
    }
    saei_free(file->context, text);
    file->data_start = sizeof head + length;
    return status;
}

static sae_status read_metadata(saei_safetensors *file, json_t *object, sae_error *err)
{
    if (json_is_null(object))
        return SAE_OK;
    if (!json_is_object(object))
        return saei_fail(err, SAE_E_FORMAT, "%s: __metadata__ is not an object", file->path);
    sae_status status =
        saei_alloc(&file->metadata, file->context, json_object_size(object), sizeof *file->metadata, err);
    if (status != SAE_OK)
        return status;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return saei_fail(err, SAE_E_FORMAT, "%s: __metadata__ %.40s is not a string", file->path, key);
        file->metadata[file->n_metadata++] = (saei_metadata){key, json_string_value(value)};
    }
    return SAE_OK;
}

static sae_status read_dtype(saei_dtype *out, const char *path, const char *name, const json_t *value,
                             sae_error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s has no dtype", path, name);
    for (size_t i = 0; i < SAEI_SAFETENSORS_DTYPES; i++)
        if (strcmp(text, saei_safetensors_dtypes[i].name) == 0) {
            *out = saei_safetensors_dtypes[i].dtype;
            return SAE_OK;
        }
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: tensor %.80s has dtype %.20s, which libsae does not read",
                     path, name, text);
}

static bool read_size(uint64_t *out, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static sae_status read_shape(saei_tensor_info *info, const char *path, const json_t *value, sae_error *err)
{
    if (!json_is_array(value))
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s has no shape", path, info->name);
    info->rank = json_array_size(value);
    if (info->rank > SAEI_TENSOR_RANK_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: tensor %.80s has %zu axes; at most %d are read", path,
                         info->name, info->rank, SAEI_TENSOR_RANK_MAX);
    info->elements = 1;
    for (size_t axis = 0; axis < info->rank; axis++)
        if (!read_size(&info->shape[axis], json_array_get(value, axis)) ||
            __builtin_mul_overflow(info->elements, info->shape[axis], &info->elements))
            return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s has an impossible shape", path, info->name);
    return SAE_OK;
}

static sae_status read_tensor(tensor *out, const char *path, const char *name, const json_t *entry,
                              sae_error *err)
{
    if (!json_is_object(entry))
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s is not described by an object", path, name);
    out->info.name = name;
    sae_status status = read_dtype(&out->info.dtype, path, name, json_object_get(entry, "dtype"), err);
    if (status == SAE_OK)
        status = read_shape(&out->info, path, json_object_get(entry, "shape"), err);
    if (status != SAE_OK)
        return status;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_array_size(offsets) != 2 || !read_size(&out->begin, json_array_get(offsets, 0)) ||
        !read_size(&out->end, json_array_get(offsets, 1)) || out->begin > out->end)
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s has no valid data_offsets", path, name);
    uint64_t bytes;
    if (__builtin_mul_overflow(out->info.elements, saei_dtype_size(out->info.dtype), &bytes) ||
        bytes != out->end - out->begin)
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s: its shape does not fit its %llu bytes", path,
                         name, (unsigned long long)(out->end - out->begin));
    return SAE_OK;
}

static int by_extent(const void *a, const void *b)
{
    const tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->info.name, y->info.name);
}

/* In order of their offsets the tensors must tile the data: no overlap, no gap, no rest. */
static sae_status check_extents(saei_safetensors *file, sae_error *err)
{
    qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_extent);
    uint64_t expected = 0, data_bytes = file->input.bytes - file->data_start;
    for (size_t i = 0; i < file->n_tensors; i++) {
        const tensor *t = &file->tensors[i];
        if (t->begin != expected)
            return saei_fail_at(err, SAE_E_FORMAT, (int64_t)(file->data_start + expected),
                                "%s: tensor %.80s %s the data before it", file->path, t->info.name,
                                t->begin < expected ? "overlaps" : "leaves a gap to");
        expected = t->end;
    }
    if (expected != data_bytes)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)file->input.bytes,
                            "%s: %s: the header describes %llu bytes of data, the file holds %llu",
                            file->path, expected > data_bytes ? "cut off" : "data after the last tensor",
                            (unsigned long long)expected, (unsigned long long)data_bytes);
    return SAE_OK;
}

static sae_status read_entries(saei_safetensors *file, sae_error *err)
{
    sae_status status =
        saei_alloc(&file->tensors, file->context, json_object_size(file->header), sizeof *file->tensors, err);
    const char *key;
    json_t *value;
    json_object_foreach(file->header, key, value)
    {
        if (status != SAE_OK)
            break;
        if (strcmp(key, "__metadata__") == 0)
            status = read_metadata(file, value, err);
        else
            status = read_tensor(&file->tensors[file->n_tensors++], file->path, key, value, err);
    }
    return status == SAE_OK ? check_extents(file, err) : status;
}

sae_status saei_safetensors_open(saei_safetensors **out, sae_context *context, const char *path,
                                 sae_error *err)
{
    *out = NULL;
    saei_safetensors *file;
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = context;
    file->input.fd = -1;
    status = saei_strdup(&file->path, context, path, err);
    if (status == SAE_OK)
        status = saei_input_file_open(&file->input, file->path, err);
    file->run = saei_byte_run_of_file(&file->input, context);
    if (status == SAE_OK)
        status = read_header(file, err);
    if (status == SAE_OK)
        status = read_entries(file, err);
    if (status != SAE_OK) {
        saei_safetensors_free(file);
        return status;
    }
    *out = file;
    return SAE_OK;
}

void saei_safetensors_free(saei_safetensors *file)
{
    if (file == NULL)
        return;
    saei_input_file_close(&file->input);
    json_decref(file->header);
    saei_free(file->context, file->tensors);
    saei_free(file->context, file->metadata);
    saei_free(file->context, file->path);
    saei_free(file->context, file);
}

size_t saei_safetensors_count(const saei_safetensors *file)
{
    return file->n_tensors;
}

const saei_tensor_info *saei_safetensors_at(const saei_safetensors *file, size_t i)
{
    return i < file->n_tensors ? &file->tensors[i].info : NULL;
}

const saei_tensor_info *saei_safetensors_find(const saei_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].info.name, name) == 0)
            return &file->tensors[i].info;
    return NULL;
}

size_t saei_safetensors_metadata_count(const saei_safetensors *file)
{
    return file->n_metadata;
}

const char *saei_safetensors_metadata_key(const saei_safetensors *file, size_t i)
{
    return i < file->n_metadata ? file->metadata[i].key : NULL;
}

const char *saei_safetensors_metadata_value(const saei_safetensors *file, size_t i)
{
    return i < file->n_metadata ? file->metadata[i].value : NULL;
}

const char *saei_safetensors_metadata(const saei_safetensors *file, const char *key)
{
    for (size_t i = 0; i < file->n_metadata; i++)
        if (strcmp(file->metadata[i].key, key) == 0)
            return file->metadata[i].value;
    return NULL;
}

sae_status saei_safetensors_read_part(void *out, const saei_safetensors *file, const saei_tensor_info *info,
                                      uint64_t first, size_t bytes, sae_error *err)
{
    const tensor *t = (const tensor *)info; /* info is the first member of a tensor */
    uint64_t size = t->end - t->begin;
    if (first > size || bytes > size - first)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: tensor %.80s holds %llu bytes, fewer than were asked for",
                         file->path, info->name, (unsigned long long)size);
    return saei_input_file_read(out, &file->input, file->data_start + t->begin + first, bytes, err);
}

sae_status saei_safetensors_read_raw(void *out, const saei_safetensors *file, const saei_tensor_info *info,
                                     size_t bytes, sae_error *err)
{
    if (bytes != info->elements * saei_dtype_size(info->dtype))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: tensor %.80s does not hold %zu bytes", file->path,
                         info->name, bytes);
    return saei_safetensors_read_part(out, file, info, 0, bytes, err);
}

saei_elements saei_safetensors_elements(const saei_safetensors *file, const saei_tensor_info *info)
{
    const tensor *t = (const tensor *)info;
    return (saei_elements){.run = &file->run,
                           .start = file->data_start + t->begin,
                           .dtype = info->dtype,
                           .n = (size_t)info->elements};
}

/* Elements first .. first + count - 1 as float32. */
static sae_status read_elements(float *out, const saei_safetensors *file, const saei_tensor_info *info,
                                size_t first, size_t count, sae_error *err)
{
    saei_elements some = saei_safetensors_elements(file, info);
    bool finite = true;
    some.start += first * saei_dtype_size(info->dtype);
    some.n = count;
    return saei_elements_read_f32(out, &finite, &some, NULL, err);
}

sae_status saei_safetensors_read_f32(float *out, const saei_safetensors *file, const saei_tensor_info *info,
                                     sae_error *err)
{
    return read_elements(out, file, info, 0, (size_t)info->elements, err);
}

sae_status saei_safetensors_read_transposed(float *out, const saei_safetensors *file,
                                            const saei_tensor_info *info, sae_error *err)
{
    if (info->rank != 2)
        return saei_fail(err, SAE_E_FORMAT, "%s: tensor %.80s is not a matrix", file->path, info->name);
    size_t rows = (size_t)info->shape[0], cols = (size_t)info->shape[1];
    size_t at_once = saei_safetensors_band_rows(rows, cols);
    float *band;
    sae_status status = saei_alloc(&band, file->context, saei_mul(at_once, cols), sizeof *band, err);
    for (size_t first = 0; status == SAE_OK && first < rows; first += at_once) {
        size_t n = rows - first < at_once ? rows - first : at_once;
        status = read_elements(band, file, info, first * cols, n * cols, err);
        if (status == SAE_OK)
            saei_transpose(out + first, rows, band, cols, n, cols);
    }
    saei_free(file->context, band);
    return status;
}
