#include "report/report_sink.h"
#include "base/error.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

sae_status saei_report_sink_open(saei_array_sink **out, sae_context *context, const char *path,
                                 bool overwrite, sae_error *err)
{
    saei_container container;
    *out = NULL;
    if (!saei_container_of(&container, path))
        container = SAEI_CONTAINER_HDF5;
    if (container == SAEI_CONTAINER_NPY)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: a .npy holds one array; name it .npz, .safetensors, .pt or .h5", path);
    return saei_array_sink_open(out, context, path, container,
                                overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
}

sae_status saei_report_count(saei_array_sink *sink, const char *name, uint64_t value, sae_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return saei_array_sink_text(sink, name, text, err);
}

sae_status saei_report_arrays(saei_array_sink *sink, const saei_report_array *arrays, size_t n,
                              sae_error *err)
{
    size_t number[SAEI_REPORT_ARRAYS_MAX];
    sae_status status = SAE_OK;
    assert(n <= SAEI_REPORT_ARRAYS_MAX);
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        const saei_array_plan plan = {arrays[i].name, arrays[i].dtype, arrays[i].n, 0, false};
        status = saei_array_sink_add(&number[i], sink, &plan, err);
    }
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = saei_array_sink_append(sink, number[i], arrays[i].values, arrays[i].n, err);
    return status;
}
