#include "dump/dump_output.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "dump/write_column.h"

#include <string.h>

typedef struct column {
    size_t array;
    bool counts;
} column;

struct saei_dump_output {
    sae_context *context;
    const sae_dump *dump;
    saei_dtype dtype;
    bool has_columns;
    saei_array_sink *sink;
    size_t matrix;
    column *columns; /* as those of the dump */
};

sae_status saei_dump_output_open(saei_dump_output **out, const sae_dump *dump, const char *path,
                                 saei_dtype dtype, bool overwrite, sae_error *err)
{
    *out = NULL;
    saei_container container;
    if (!saei_container_of(&container, path))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: a dump is written as .h5, .npy, .npz, .safetensors or .pt; name it so", path);
    saei_dump_output *o;
    sae_status status = saei_alloc(&o, dump->context, 1, sizeof *o, err);
    if (status != SAE_OK)
        return status;
    *o = (saei_dump_output){.context = dump->context,
                            .dump = dump,
                            .dtype = dtype,
                            .has_columns = container != SAEI_CONTAINER_NPY};
    status = saei_alloc(&o->columns, o->context, sae_dump_columns(dump), sizeof *o->columns, err);
    if (status == SAE_OK)
        status = saei_array_sink_open(&o->sink, o->context, path, container,
                                      overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status != SAE_OK) {
        saei_dump_output_discard(o);
        return status;
    }
    *out = o;
    return SAE_OK;
}

void saei_dump_output_discard(saei_dump_output *o)
{
    if (o == NULL)
        return;
    saei_array_sink_discard(o->sink);
    saei_free(o->context, o->columns);
    saei_free(o->context, o);
}

bool saei_dump_output_has_columns(const saei_dump_output *o)
{
    return o->has_columns;
}

const char *saei_dump_output_temporary(const saei_dump_output *o)
{
    return saei_array_sink_temporary(o->sink);
}

/* As in the input, where it has a name there. */
static const char *matrix_name(const sae_dump *dump)
{
    const saei_array_info *array = dump->shards[0].array;
    return array != NULL && array->name[0] != '\0' ? array->name : "activations";
}

sae_status saei_dump_output_attribute(saei_dump_output *o, const char *name, const char *value,
                                      sae_error *err)
{
    return saei_array_sink_text(o->sink, name, value, err);
}

sae_status saei_dump_output_begin(saei_dump_output *o, const bool *counts, sae_error *err)
{
    const sae_dump *dump = o->dump;
    const uint64_t rows = sae_dump_rows(dump);
    const saei_array_plan matrix = {matrix_name(dump), o->dtype, rows, dump->d, true};
    sae_status status = saei_array_sink_add(&o->matrix, o->sink, &matrix, err);
    for (size_t i = 0; o->has_columns && i < sae_dump_columns(dump) && status == SAE_OK; i++) {
        const saei_array_plan plan = {sae_dump_column_name(dump, i), saei_column_dtype(counts[i]), rows, 0,
                                      false};
        o->columns[i].counts = counts[i];
        status = saei_array_sink_add(&o->columns[i].array, o->sink, &plan, err);
    }
    return status;
}

sae_status saei_dump_output_rows(saei_dump_output *o, const void *rows, size_t n, sae_error *err)
{
    return saei_array_sink_append(o->sink, o->matrix, rows, n, err);
}

sae_status saei_dump_output_column(saei_dump_output *o, size_t i, double *values, size_t n, sae_error *err)
{
    return saei_append_column(o->sink, o->columns[i].array, values, n, o->columns[i].counts, err);
}

sae_status saei_dump_output_finish(saei_dump_output **handle, sae_error *err)
{
    saei_dump_output *o = *handle;
    *handle = NULL;
    sae_status status = saei_array_sink_finish(&o->sink, err);
    saei_dump_output_discard(o);
    return status;
}
