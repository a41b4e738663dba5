#include "io/torch_file.h"
#include "base/memory.h"

static sae_status read_entries(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    const saei_torch_file *file = state;
    const saei_torch_tensor *tensor = &file->found.tensors[array];
    return saei_strided_read(out, &tensor->array, &tensor->run, first, count, err);
}

static void close_file(void *state)
{
    saei_torch_file *file = state;
    saei_torch_tensors_free(&file->found);
    saei_zip_free(file->zip);
    saei_free(file->context, file);
}

static sae_status check_rest(void *state, sae_error *err)
{
    const saei_torch_file *file = state;
    return file->zip != NULL ? saei_zip_check(file->zip, err) : SAE_OK;
}

static const saei_format format = {
    .name = "PyTorch", .read = read_entries, .close = close_file, .check_rest = check_rest};

sae_status saei_torch_file_new(saei_torch_file **out, saei_reader *reader, saei_zip *zip, sae_error *err)
{
    sae_context *context = saei_reader_context(reader);
    sae_status status = saei_alloc(out, context, 1, sizeof **out, err);
    if (status != SAE_OK) {
        saei_zip_free(zip);
        return status;
    }
    (*out)->context = context;
    (*out)->zip = zip;
    saei_reader_set_format(reader, &format, *out);
    return SAE_OK;
}

sae_status saei_torch_file_fill(saei_torch_file *file, saei_reader *reader, const saei_torch_source *source,
                                sae_error *err)
{
    sae_status status = saei_torch_tensors_find(&file->found, file->context, source, err);
    for (size_t i = 0; status == SAE_OK && i < file->found.n_tensors; i++) {
        const saei_torch_tensor *tensor = &file->found.tensors[i];
        status = saei_reader_add_strided(reader, tensor->name, &tensor->array, &tensor->run, err);
    }
    for (size_t i = 0; status == SAE_OK && i < file->found.n_settings; i++)
        status = saei_reader_add_attribute(reader, file->found.settings[i].name,
                                           file->found.settings[i].value, err);
    return status;
}
