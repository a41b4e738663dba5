#include "io/reader.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/raw.h"
#include "io/reader_format.h"

#include <pthread.h>
#include <string.h>

typedef struct attribute {
    char *name, *value;
} attribute;

struct saei_reader {
    sae_context *context;
    bool trusted;
    char *path;
    saei_input_file input;
    saei_byte_run run;    /* all of input */
    pthread_mutex_t lock; /* around format->read */
    const saei_format *format;
    void *state;
    saei_array_info *arrays;
    size_t n_arrays, arrays_room;
    attribute *attributes;
    size_t n_attributes, attributes_room;
};

sae_context *saei_reader_context(const saei_reader *reader)
{
    return reader->context;
}

bool saei_reader_is_trusted(const saei_reader *reader)
{
    return reader->trusted;
}

const saei_input_file *saei_reader_input(const saei_reader *reader)
{
    return &reader->input;
}

const saei_byte_run *saei_reader_run(const saei_reader *reader)
{
    return &reader->run;
}

void *saei_reader_state(const saei_reader *reader)
{
    return reader->state;
}

void saei_reader_set_format(saei_reader *reader, const saei_format *format, void *state)
{
    reader->format = format;
    reader->state = state;
}

uint64_t saei_array_entries(const saei_array_info *array)
{
    return array->rank > 0 ? array->shape[0] : 1;
}

uint64_t saei_array_entry(const saei_array_info *array)
{
    uint64_t elements = 1;
    for (size_t axis = 1; axis < array->rank; axis++)
        elements *= array->shape[axis];
    return elements;
}

/* An axis of 0 would hide that the others wrap: it counts as 1 here. */
static bool size_is_sane(const saei_array_info *info)
{
    uint64_t bytes = sizeof(double);
    for (size_t axis = 0; axis < info->rank; axis++) {
        uint64_t extent = info->shape[axis] > 0 ? info->shape[axis] : 1;
        if (__builtin_mul_overflow(bytes, extent, &bytes))
            return false;
    }
    return bytes <= INT64_MAX;
}

/* Room for one more in *block. */
static sae_status make_room(void *block, size_t *room, size_t used, size_t size, sae_context *context,
                            sae_error *err)
{
    if (used < *room)
        return SAE_OK;
    size_t wanted = *room > 0 ? 2 * *room : 8;
    sae_status status = saei_grow(block, context, used, wanted, size, err);
    if (status == SAE_OK)
        *room = wanted;
    return status;
}

sae_status saei_reader_add_array(saei_reader *reader, const saei_array_info *info, sae_error *err)
{
    if (!size_is_sane(info))
        return saei_fail(err, SAE_E_FORMAT, "%s: array \"%.80s\" has an impossible shape", reader->path,
                         info->name);
    sae_status status = make_room(&reader->arrays, &reader->arrays_room, reader->n_arrays,
                                  sizeof *reader->arrays, reader->context, err);
    char *name = NULL;
    if (status == SAE_OK)
        status = saei_strdup(&name, reader->context, info->name, err);
    if (status != SAE_OK)
        return status;
    saei_array_info *added = &reader->arrays[reader->n_arrays++];
    *added = *info;
    added->name = name;
    return SAE_OK;
}

sae_status saei_reader_add_strided(saei_reader *reader, const char *name, const saei_strided *array,
                                   const saei_byte_run *run, sae_error *err)
{
    saei_array_info info = {.name = name, .dtype = array->dtype, .rank = array->rank};
    memcpy(info.shape, array->shape, sizeof info.shape);
    info.chunk_rows = saei_strided_chunk_rows(array, run);
    if (saei_strided_is_plain(array)) {
        info.run = run;
        info.start = array->start;
    }
    return saei_reader_add_array(reader, &info, err);
}

sae_status saei_reader_add_attribute(saei_reader *reader, const char *name, const char *value, sae_error *err)
{
    sae_status status = make_room(&reader->attributes, &reader->attributes_room, reader->n_attributes,
                                  sizeof *reader->attributes, reader->context, err);
    attribute added = {NULL, NULL};
    if (status == SAE_OK)
        status = saei_strdup(&added.name, reader->context, name, err);
    if (status == SAE_OK)
        status = saei_strdup(&added.value, reader->context, value, err);
    if (status != SAE_OK) {
        saei_free(reader->context, added.name);
        return status;
    }
    reader->attributes[reader->n_attributes++] = added;
    return SAE_OK;
}

/* An HDF5 file may begin with a user block of 512, 1024, 2048 … bytes. */
static bool is_hdf5(const saei_input_file *input)
{
    char head[8];
    for (uint64_t at = 0; at + sizeof head <= input->bytes; at = at == 0 ? 512 : 2 * at)
        if (saei_input_file_read(head, input, at, sizeof head, NULL) == SAE_OK &&
            memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0)
            return true;
    return false;
}

/* By content; raw rows alone have none that tells, and are known by a side file. */
static sae_status open_by_content(saei_reader *reader, sae_error *err)
{
    const saei_input_file *input = &reader->input;
    char head[9] = {0};
    if (saei_raw_is_named(reader->path)) {
        bool found;
        sae_status status = saei_raw_open(&found, reader, err);
        if (status != SAE_OK || found)
            return status;
    }
    if (input->bytes >= 6) {
        sae_status status = saei_input_file_read(head, input, 0, input->bytes < 9 ? 6 : 9, err);
        if (status != SAE_OK)
            return status;
    }
    if (memcmp(head, "\x93NUMPY", 6) == 0)
        return saei_npy_open(reader, err);
    uint64_t header_bytes;
    memcpy(&header_bytes, head, sizeof header_bytes);
    if (head[8] == '{' && header_bytes <= input->bytes - 8)
        return saei_safetensors_open_reader(reader, err);
    if (memcmp(head, "PK\3\4", 4) == 0)
        return saei_zip_open_reader(reader, err);
    if (head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
        return saei_torch_open_legacy(reader, err);
    if (is_hdf5(input))
        return saei_hdf5_open(reader, err);
    return saei_input_file_refuse(input, "an HDF5, .npy, .npz, safetensors or PyTorch file", err);
}

static sae_status open_reader(saei_reader **out, sae_context *context, const char *path, bool trusted,
                              sae_error *err)
{
    *out = NULL;
    saei_reader *reader;
    sae_status status = saei_alloc(&reader, context, 1, sizeof *reader, err);
    if (status != SAE_OK)
        return status;
    reader->context = context;
    reader->trusted = trusted;
    reader->input.fd = -1;
    pthread_mutex_init(&reader->lock, NULL);
    status = saei_strdup(&reader->path, context, path, err);
    if (status == SAE_OK)
        status = saei_input_file_open(&reader->input, reader->path, err);
    reader->run = saei_byte_run_of_file(&reader->input, context);
    if (status == SAE_OK)
        status = open_by_content(reader, err);
    if (status != SAE_OK) {
        saei_reader_free(reader);
        return status;
    }
    *out = reader;
    return SAE_OK;
}

sae_status saei_reader_open(saei_reader **out, sae_context *context, const char *path, sae_error *err)
{
    return open_reader(out, context, path, saei_context_trusts_files(context), err);
}

sae_status saei_reader_open_trusted(saei_reader **out, sae_context *context, const char *path, sae_error *err)
{
    return open_reader(out, context, path, true, err);
}

void saei_reader_free(saei_reader *reader)
{
    if (reader == NULL)
        return;
    sae_context *context = reader->context;
    if (reader->format != NULL)
        reader->format->close(reader->state);
    saei_input_file_close(&reader->input);
    for (size_t i = 0; i < reader->n_arrays; i++)
        saei_free(context, (char *)reader->arrays[i].name);
    for (size_t i = 0; i < reader->n_attributes; i++) {
        saei_free(context, reader->attributes[i].name);
        saei_free(context, reader->attributes[i].value);
    }
    saei_free(context, reader->arrays);
    saei_free(context, reader->attributes);
    saei_free(context, reader->path);
    pthread_mutex_destroy(&reader->lock);
    saei_free(context, reader);
}

void saei_reader_release(saei_reader *reader)
{
    if (reader->format->release != NULL)
        reader->format->release(reader->state);
}

const char *saei_reader_path(const saei_reader *reader)
{
    return reader->path;
}

uint64_t saei_reader_bytes(const saei_reader *reader)
{
    return reader->input.bytes;
}

const char *saei_reader_format(const saei_reader *reader)
{
    return reader->format->name;
}

size_t saei_reader_count(const saei_reader *reader)
{
    return reader->n_arrays;
}

const saei_array_info *saei_reader_at(const saei_reader *reader, size_t i)
{
    return i < reader->n_arrays ? &reader->arrays[i] : NULL;
}

const saei_array_info *saei_reader_find(const saei_reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->n_arrays; i++)
        if (strcmp(reader->arrays[i].name, name) == 0)
            return &reader->arrays[i];
    return NULL;
}

size_t saei_reader_attributes(const saei_reader *reader)
{
    return reader->n_attributes;
}

const char *saei_reader_attribute_name(const saei_reader *reader, size_t i)
{
    return i < reader->n_attributes ? reader->attributes[i].name : NULL;
}

const char *saei_reader_attribute_value(const saei_reader *reader, size_t i)
{
    return i < reader->n_attributes ? reader->attributes[i].value : NULL;
}

static sae_status check_range(const saei_reader *reader, const saei_array_info *array, uint64_t first,
                              uint64_t count, sae_error *err)
{
    uint64_t entries = saei_array_entries(array);
    if (first > entries || count > entries - first)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: \"%.80s\" has %llu entries; %llu from %llu on were asked for", reader->path,
                         array->name, (unsigned long long)entries, (unsigned long long)count,
                         (unsigned long long)first);
    return SAE_OK;
}

static sae_status read_stored(void *out, saei_reader *reader, const saei_array_info *array, uint64_t first,
                              uint64_t count, sae_error *err)
{
    size_t index = (size_t)(array - reader->arrays);
    pthread_mutex_lock(&reader->lock);
    sae_status status = reader->format->read(out, reader->state, index, first, count, err);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

/* Elements wider than a float do not fit into out: they pass through a block of whole chunks. */
static sae_status read_wide_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                                uint64_t first, uint64_t count, sae_error *err)
{
    enum { BLOCK_BYTES = 1 << 20 };
    uint64_t entry = saei_array_entry(array);
    size_t item = saei_dtype_size(array->dtype);
    uint64_t per_block = BLOCK_BYTES / item / entry;
    if (per_block < array->chunk_rows)
        per_block = array->chunk_rows;
    if (per_block == 0)
        per_block = 1;
    if (per_block > count)
        per_block = count;
    void *block;
    sae_status status = saei_alloc(&block, reader->context, (size_t)(per_block * entry), item, err);
    for (uint64_t done = 0; status == SAE_OK && done < count; done += per_block) {
        uint64_t n = count - done < per_block ? count - done : per_block;
        status = read_stored(block, reader, array, first + done, n, err);
        if (status == SAE_OK)
            *finite &= saei_dtype_to_f32(out + done * entry, array->dtype, block, (size_t)(n * entry));
    }
    saei_free(reader->context, block);
    return status;
}

static sae_status read_narrow_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                                  uint64_t first, uint64_t count, sae_error *err)
{
    size_t n = (size_t)(count * saei_array_entry(array));
    /* Narrow elements are read to the end of out and widened from its start: no second buffer. */
    unsigned char *stored = (unsigned char *)out + n * (sizeof *out - saei_dtype_size(array->dtype));
    sae_status status = read_stored(stored, reader, array, first, count, err);
    if (status == SAE_OK)
        *finite &= saei_dtype_to_f32(out, array->dtype, stored, n);
    return status;
}

static sae_status read_plain_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                                 uint64_t first, uint64_t count, const saei_lone_reader *alone,
                                 sae_error *err)
{
    uint64_t entry = saei_array_entry(array);
    const saei_elements elements = {.run = array->run,
                                    .start = array->start + first * entry * saei_dtype_size(array->dtype),
                                    .dtype = array->dtype,
                                    .n = (size_t)(count * entry)};
    if (array->run->file != NULL)
        return saei_elements_read_f32(out, finite, &elements, alone, err);
    pthread_mutex_lock(&reader->lock);
    sae_status status = saei_elements_read_f32(out, finite, &elements, alone, err);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

static sae_status read_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                           uint64_t first, uint64_t count, const saei_lone_reader *alone, sae_error *err)
{
    if (count * saei_array_entry(array) == 0)
        return SAE_OK;
    if (array->run != NULL)
        return read_plain_f32(out, finite, reader, array, first, count, alone, err);
    return saei_dtype_size(array->dtype) > sizeof *out
               ? read_wide_f32(out, finite, reader, array, first, count, err)
               : read_narrow_f32(out, finite, reader, array, first, count, err);
}

sae_status saei_reader_read_f32(float *out, saei_reader *reader, const saei_array_info *array, uint64_t first,
                                uint64_t count, sae_error *err)
{
    bool finite = true;
    sae_status status = check_range(reader, array, first, count, err);
    return status == SAE_OK ? read_f32(out, &finite, reader, array, first, count, NULL, err) : status;
}

sae_status saei_reader_unpack_f32(float *out, bool *finite, saei_reader *reader, const saei_array_info *array,
                                  uint64_t first, uint64_t count, const saei_unpacking *how, sae_error *err)
{
    bool packed = how->inflater != NULL && array->packed_bytes > 0 && count > 0 &&
                  array->packed_bytes <= how->inflater->chunk_bytes,
         done = false, unpacked_finite = true;
    sae_status status = check_range(reader, array, first, count, err);
    if (status == SAE_OK && packed) {
        pthread_mutex_lock(&reader->lock);
        status = reader->format->unpack(&done, out, &unpacked_finite, reader->state,
                                        (size_t)(array - reader->arrays), first, count, how, err);
        pthread_mutex_unlock(&reader->lock);
    }
    if (status == SAE_OK && !done)
        return read_f32(out, finite, reader, array, first, count, how->alone, err);
    *finite &= unpacked_finite;
    return status;
}

sae_status saei_reader_read_f64(double *out, saei_reader *reader, const saei_array_info *array,
                                uint64_t first, uint64_t count, sae_error *err)
{
    sae_status status = check_range(reader, array, first, count, err);
    size_t n = (size_t)(count * saei_array_entry(array)), item = saei_dtype_size(array->dtype);
    if (status != SAE_OK || n == 0)
        return status;
    unsigned char *stored = (unsigned char *)out + n * (sizeof *out - item);
    status = read_stored(stored, reader, array, first, count, err);
    if (status == SAE_OK && !saei_dtype_to_f64(out, array->dtype, stored, n))
        status = saei_fail(err, SAE_E_UNSUPPORTED, "%s: \"%.80s\" holds integers beyond 2^53", reader->path,
                           array->name);
    return status;
}

sae_status saei_reader_read_stored(void *out, saei_reader *reader, const saei_array_info *array,
                                   uint64_t first, uint64_t count, sae_error *err)
{
    sae_status status = check_range(reader, array, first, count, err);
    if (status != SAE_OK || count * saei_array_entry(array) == 0)
        return status;
    return read_stored(out, reader, array, first, count, err);
}

sae_status saei_reader_check_rest(saei_reader *reader, sae_error *err)
{
    if (reader->format->check_rest == NULL)
        return SAE_OK;
    pthread_mutex_lock(&reader->lock);
    sae_status status = reader->format->check_rest(reader->state, err);
    pthread_mutex_unlock(&reader->lock);
    return status;
}
