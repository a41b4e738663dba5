#include "io/array_sink.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/flat_file.h"
#include "io/hdf5_write.h"

#include <string.h>
#include <strings.h>

struct saei_array_sink {
    sae_context *context;
    saei_atomic_file *file;
    /* One of the two. */
    saei_hdf5_writer *hdf5;
    saei_flat_file *flat;
};

bool saei_container_of(saei_container *out, const char *path)
{
    static const struct {
        const char *suffix;
        saei_container container;
    } known[] = {
        {".h5", SAEI_CONTAINER_HDF5},  {".hdf5", SAEI_CONTAINER_HDF5},
        {".npy", SAEI_CONTAINER_NPY},  {".npz", SAEI_CONTAINER_NPZ},
        {".pt", SAEI_CONTAINER_TORCH}, {".safetensors", SAEI_CONTAINER_SAFETENSORS},
    };
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t m = strlen(known[i].suffix);
        if (n > m && strcasecmp(path + n - m, known[i].suffix) == 0) {
            *out = known[i].container;
            return true;
        }
    }
    return false;
}

static const saei_flat_format *flat_format(saei_container container)
{
    switch (container) {
    case SAEI_CONTAINER_NPY:
        return &saei_flat_npy;
    case SAEI_CONTAINER_NPZ:
        return &saei_flat_npz;
    case SAEI_CONTAINER_TORCH:
        return &saei_flat_torch;
    default:
        return &saei_flat_safetensors;
    }
}

sae_status saei_array_sink_open(saei_array_sink **out, sae_context *context, const char *path,
                                saei_container container, saei_replace replace, sae_error *err)
{
    *out = NULL;
    saei_array_sink *sink;
    sae_status status = saei_alloc(&sink, context, 1, sizeof *sink, err);
    if (status != SAE_OK)
        return status;
    *sink = (saei_array_sink){.context = context};
    status = saei_atomic_file_open(&sink->file, context, path, replace, err);
    if (status == SAE_OK && container == SAEI_CONTAINER_HDF5)
        status =
            saei_hdf5_writer_open(&sink->hdf5, context, saei_atomic_file_temporary(sink->file), path, err);
    else if (status == SAE_OK)
        status = saei_flat_file_new(&sink->flat, context, sink->file, path, flat_format(container), err);
    if (status != SAE_OK) {
        saei_array_sink_discard(sink);
        return status;
    }
    *out = sink;
    return SAE_OK;
}

void saei_array_sink_discard(saei_array_sink *sink)
{
    if (sink == NULL)
        return;
    saei_hdf5_writer_discard(sink->hdf5);
    saei_flat_file_free(sink->flat);
    saei_atomic_file_discard(sink->file);
    saei_free(sink->context, sink);
}

sae_status saei_array_sink_text(saei_array_sink *sink, const char *name, const char *value, sae_error *err)
{
    return sink->hdf5 != NULL ? saei_hdf5_writer_attribute(sink->hdf5, name, value, err)
                              : saei_flat_file_text(sink->flat, name, value, err);
}

sae_status saei_array_sink_add(size_t *out, saei_array_sink *sink, const saei_array_plan *plan,
                               sae_error *err)
{
    if (sink->flat != NULL)
        return saei_flat_file_add(out, sink->flat, plan, err);
    if (plan->plain)
        return saei_hdf5_writer_add_plain(out, sink->hdf5, plan->name, plan->dtype, plan->rows, plan->columns,
                                          err);
    return saei_hdf5_writer_add(out, sink->hdf5, plan->name, plan->dtype, plan->columns, err);
}

sae_status saei_array_sink_append(saei_array_sink *sink, size_t array, const void *rows, uint64_t count,
                                  sae_error *err)
{
    return sink->hdf5 != NULL ? saei_hdf5_writer_append(sink->hdf5, array, rows, count, err)
                              : saei_flat_file_append(sink->flat, array, rows, count, err);
}

const char *saei_array_sink_temporary(const saei_array_sink *sink)
{
    return saei_atomic_file_temporary(sink->file);
}

sae_status saei_array_sink_finish(saei_array_sink **handle, sae_error *err)
{
    saei_array_sink *sink = *handle;
    *handle = NULL;
    sae_status status = sink->hdf5 != NULL ? saei_hdf5_writer_finish(&sink->hdf5, err)
                                           : saei_flat_file_finish(sink->flat, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&sink->file, err);
    saei_array_sink_discard(sink);
    return status;
}
