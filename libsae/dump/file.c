/* The description of any file that libsae reads or writes. */
#include "base/error.h"
#include "base/memory.h"
#include "dump/dataset.h"
#include "sae/dump.h"

#include <sys/stat.h>

struct sae_file {
    sae_context *context;
    saei_reader *reader;
    uint64_t bytes;
};

sae_status sae_file_open(sae_file **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    sae_file *file = NULL;
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = context;
    status = saei_reader_open(&file->reader, context, path, err);
    if (status != SAE_OK) {
        saei_free(context, file);
        return status;
    }
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > 0)
        file->bytes = (uint64_t)info.st_size;
    *out = file;
    return SAE_OK;
}

void sae_file_free(sae_file *file)
{
    if (file == NULL)
        return;
    saei_reader_free(file->reader);
    saei_free(file->context, file);
}

const char *sae_file_format(const sae_file *file)
{
    return saei_reader_format(file->reader);
}

const char *sae_file_role(const sae_file *file)
{
    return saei_reader_role(file->reader);
}

uint64_t sae_file_bytes(const sae_file *file)
{
    return file->bytes;
}

size_t sae_file_tensors(const sae_file *file)
{
    return saei_reader_count(file->reader);
}

static const saei_array_info *tensor(const sae_file *file, size_t i)
{
    return i < saei_reader_count(file->reader) ? saei_reader_at(file->reader, i) : NULL;
}

const char *sae_file_tensor_name(const sae_file *file, size_t i)
{
    const saei_array_info *array = tensor(file, i);
    return array != NULL ? array->name : NULL;
}

const char *sae_file_tensor_dtype(const sae_file *file, size_t i)
{
    const saei_array_info *array = tensor(file, i);
    return array != NULL ? saei_dtype_name(array->dtype) : NULL;
}

size_t sae_file_tensor_rank(const sae_file *file, size_t i)
{
    const saei_array_info *array = tensor(file, i);
    return array != NULL ? array->rank : 0;
}

uint64_t sae_file_tensor_extent(const sae_file *file, size_t i, size_t axis)
{
    const saei_array_info *array = tensor(file, i);
    return array != NULL && axis < array->rank ? array->shape[axis] : 0;
}

sae_status sae_file_tensor_crc32(uint32_t *out, sae_file *file, size_t i, sae_error *err)
{
    const saei_array_info *array = tensor(file, i);
    *out = 0;
    if (array == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: tensor %zu of %zu was asked for",
                         saei_reader_path(file->reader), i, sae_file_tensors(file));
    return saei_reader_crc32(out, file->reader, array, err);
}

sae_status sae_file_check_rest(sae_file *file, sae_error *err)
{
    return saei_reader_check_rest(file->reader, err);
}

size_t sae_file_attributes(const sae_file *file)
{
    return saei_reader_attributes(file->reader);
}

const char *sae_file_attribute_name(const sae_file *file, size_t i)
{
    return i < sae_file_attributes(file) ? saei_reader_attribute_name(file->reader, i) : NULL;
}

const char *sae_file_attribute_value(const sae_file *file, size_t i)
{
    return i < sae_file_attributes(file) ? saei_reader_attribute_value(file->reader, i) : NULL;
}
