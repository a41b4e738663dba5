#include "dump/dump_output.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "dump/write_column.h"
#include "io/atomic_file.h"
#include "io/npy_write.h"

#include <string.h>
#include <strings.h>

typedef struct column {
    size_t dataset;
    bool counts;
} column;

struct saei_dump_output {
    sae_context *context;
    const sae_dump *dump;
    saei_dtype dtype;
    saei_atomic_file *file;
    saei_hdf5_writer *writer; /* NULL: .npy */
    size_t matrix;
    column *columns; /* as those of the dump */
};

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcasecmp(path + n - m, suffix) == 0;
}

sae_status saei_dump_output_open(saei_dump_output **out, const sae_dump *dump, const char *path,
                                 saei_dtype dtype, bool overwrite, sae_error *err)
{
    *out = NULL;
    bool npy = has_suffix(path, ".npy");
    if (!npy && !has_suffix(path, ".h5") && !has_suffix(path, ".hdf5"))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: a dump is written as .h5 or .npy; name it so", path);
    saei_dump_output *o;
    sae_status status = saei_alloc(&o, dump->context, 1, sizeof *o, err);
    if (status != SAE_OK)
        return status;
    *o = (saei_dump_output){.context = dump->context, .dump = dump, .dtype = dtype};
    status = saei_atomic_file_open(&o->file, o->context, path,
                                   overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK && !npy)
        status = saei_alloc(&o->columns, o->context, sae_dump_columns(dump), sizeof *o->columns, err);
    if (status == SAE_OK && !npy)
        status =
            saei_hdf5_writer_open(&o->writer, o->context, saei_atomic_file_temporary(o->file), path, err);
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
    saei_hdf5_writer_discard(o->writer);
    saei_atomic_file_discard(o->file);
    saei_free(o->context, o->columns);
    saei_free(o->context, o);
}

bool saei_dump_output_has_columns(const saei_dump_output *o)
{
    return o->writer != NULL;
}

const char *saei_dump_output_temporary(const saei_dump_output *o)
{
    return saei_atomic_file_temporary(o->file);
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
    return o->writer != NULL ? saei_hdf5_writer_attribute(o->writer, name, value, err) : SAE_OK;
}

sae_status saei_dump_output_begin(saei_dump_output *o, const bool *counts, sae_error *err)
{
    const sae_dump *dump = o->dump;
    if (o->writer == NULL) {
        unsigned char header[SAEI_NPY_HEADER_BYTES];
        saei_npy_header(header, o->dtype, sae_dump_rows(dump), dump->d);
        return saei_atomic_file_write(o->file, header, sizeof header, err);
    }
    sae_status status = saei_hdf5_writer_add_plain(&o->matrix, o->writer, matrix_name(dump), o->dtype,
                                                   sae_dump_rows(dump), dump->d, err);
    for (size_t i = 0; i < sae_dump_columns(dump) && status == SAE_OK; i++) {
        o->columns[i].counts = counts[i];
        status = saei_hdf5_writer_add(&o->columns[i].dataset, o->writer, sae_dump_column_name(dump, i),
                                      counts[i] ? SAEI_U64 : SAEI_F64, 0, err);
    }
    return status;
}

sae_status saei_dump_output_rows(saei_dump_output *o, const void *rows, size_t n, sae_error *err)
{
    if (o->writer != NULL)
        return saei_hdf5_writer_append(o->writer, o->matrix, rows, n, err);
    return saei_atomic_file_write(o->file, rows, n * o->dump->d * saei_dtype_size(o->dtype), err);
}

sae_status saei_dump_output_column(saei_dump_output *o, size_t i, double *values, size_t n, sae_error *err)
{
    return saei_append_column(o->writer, o->columns[i].dataset, values, n, o->columns[i].counts, err);
}

sae_status saei_dump_output_finish(saei_dump_output **handle, sae_error *err)
{
    saei_dump_output *o = *handle;
    *handle = NULL;
    sae_status status = o->writer != NULL ? saei_hdf5_writer_finish(&o->writer, err) : SAE_OK;
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&o->file, err);
    saei_dump_output_discard(o);
    return status;
}
