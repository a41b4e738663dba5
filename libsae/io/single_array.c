#include "io/single_array.h"
#include "base/memory.h"

typedef struct single_array {
    sae_context *context;
    saei_byte_run run;
    saei_strided array;
} single_array;

sae_status saei_single_array_read(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                                  sae_error *err)
{
    (void)array;
    const single_array *file = state;
    return saei_strided_read(out, &file->array, &file->run, first, count, err);
}

void saei_single_array_close(void *state)
{
    single_array *file = state;
    saei_free(file->context, file);
}

sae_status saei_single_array_add(saei_reader *reader, const saei_format *format, const saei_strided *array,
                                 sae_error *err)
{
    single_array *file;
    sae_context *context = saei_reader_context(reader);
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    file->context = context;
    file->run = saei_byte_run_of_file(saei_reader_input(reader), context);
    file->array = *array;
    saei_reader_set_format(reader, format, file);
    return saei_reader_add_strided(reader, "", array, &file->run, err);
}
