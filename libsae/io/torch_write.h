/* Writing PyTorch's .pt: a flat dict of tensors, which torch.load reads with weights_only=True. */
#ifndef SAEI_TORCH_WRITE_H
#define SAEI_TORCH_WRITE_H

#include "io/atomic_file.h"
#include "io/torch_pickle.h"

enum { SAEI_TORCH_TENSORS_MAX = 16 };

/* A ZIP of a pickle of protocol 2 and one storage for each tensor. n <= SAEI_TORCH_TENSORS_MAX. */
sae_status saei_torch_save(sae_context *context, const char *path, saei_replace replace,
                           const saei_torch_out *tensors, size_t n, sae_error *err);

#endif
