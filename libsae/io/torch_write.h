/* Writing PyTorch's .pt: a flat dict of tensors, which torch.load reads with weights_only=True. */
#ifndef SAEI_TORCH_WRITE_H
#define SAEI_TORCH_WRITE_H

#include "io/atomic_file.h"
#include "io/dtype.h"

enum { SAEI_TORCH_TENSORS_MAX = 16 };

typedef struct saei_torch_out {
    const char *name; /* at most 60 characters, ASCII */
    saei_dtype dtype; /* SAEI_F32 or SAEI_I32 */
    size_t rank;      /* 0 … 2 */
    uint64_t shape[2];
    const void *data;
    bool transposed; /* data is [shape[1], shape[0]]: written as it is, with strides that say so */
} saei_torch_out;

/* A ZIP of a pickle of protocol 2 and one storage for each tensor. n <= SAEI_TORCH_TENSORS_MAX. */
sae_status saei_torch_save(sae_context *context, const char *path, saei_replace replace,
                           const saei_torch_out *tensors, size_t n, sae_error *err);

#endif
