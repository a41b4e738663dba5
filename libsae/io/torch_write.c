#include "io/torch_write.h"
#include "base/memory.h"
#include "io/zip_write.h"

#include <assert.h>
#include <stdio.h>

sae_status saei_torch_save(sae_context *context, const char *path, saei_replace replace,
                           const saei_torch_out *tensors, size_t n, sae_error *err)
{
    assert(n <= SAEI_TORCH_TENSORS_MAX);
    unsigned char *pickle;
    size_t pickle_bytes;
    sae_status status = saei_torch_pickle_new(&pickle, &pickle_bytes, context, tensors, n, NULL, 0, err);
    if (status != SAE_OK)
        return status;
    saei_zip_entry entries[SAEI_TORCH_TENSORS_MAX + 3] = {
        {.name = "archive/data.pkl", .head = pickle, .head_bytes = pickle_bytes},
        {.name = "archive/byteorder", .head = "little", .head_bytes = 6},
    };
    char names[SAEI_TORCH_TENSORS_MAX][40];
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "archive/data/%zu", i);
        entries[2 + i] = (saei_zip_entry){.name = names[i],
                                          .body = tensors[i].data,
                                          .body_bytes = (size_t)saei_torch_elements(&tensors[i]) *
                                                        saei_dtype_size(tensors[i].dtype)};
    }
    entries[2 + n] = (saei_zip_entry){.name = "archive/version", .head = "3\n", .head_bytes = 2};
    status = saei_zip_save(context, path, replace, entries, n + 3, err);
    saei_free(context, pickle);
    return status;
}
