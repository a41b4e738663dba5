#include "io/reader_format.h"
#include "io/safetensors.h"

#include <string.h>

_Static_assert((int)SAEI_TENSOR_RANK_MAX == (int)SAEI_ARRAY_RANK_MAX, "shapes are copied whole");

static sae_status read_entries(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    const saei_safetensors *file = state;
    const saei_tensor_info *tensor = saei_safetensors_at(file, array);
    uint64_t entries = tensor->rank > 0 ? tensor->shape[0] : 1;
    uint64_t entry_bytes = tensor->elements / entries * saei_dtype_size(tensor->dtype);
    return saei_safetensors_read_part(out, file, tensor, first * entry_bytes, (size_t)(count * entry_bytes),
                                      err);
}

static void close_file(void *state)
{
    saei_safetensors_free(state);
}

static const saei_format format = {.name = "safetensors", .read = read_entries, .close = close_file};

sae_status saei_safetensors_open_reader(saei_reader *reader, sae_error *err)
{
    saei_safetensors *file;
    sae_status status =
        saei_safetensors_open(&file, saei_reader_context(reader), saei_reader_path(reader), err);
    if (status != SAE_OK)
        return status;
    saei_reader_set_format(reader, &format, file);
    for (size_t i = 0; status == SAE_OK && i < saei_safetensors_count(file); i++) {
        const saei_tensor_info *tensor = saei_safetensors_at(file, i);
        saei_array_info info = {.name = tensor->name, .dtype = tensor->dtype, .rank = tensor->rank};
        saei_elements elements = saei_safetensors_elements(file, tensor);
        info.run = elements.run;
        info.start = elements.start;
        memcpy(info.shape, tensor->shape, sizeof info.shape);
        status = saei_reader_add_array(reader, &info, err);
    }
    for (size_t i = 0; status == SAE_OK && i < saei_safetensors_metadata_count(file); i++)
        status = saei_reader_add_attribute(reader, saei_safetensors_metadata_key(file, i),
                                           saei_safetensors_metadata_value(file, i), err);
    return status;
}
