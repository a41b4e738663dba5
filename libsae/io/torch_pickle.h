/* The pickle of PyTorch's .pt: a flat dict of tensors and texts. */
#ifndef SAEI_TORCH_PICKLE_H
#define SAEI_TORCH_PICKLE_H

#include "io/safetensors.h"

typedef struct saei_torch_out {
    const char *name; /* the pickle holds it as it is: UTF-8 */
    saei_dtype dtype; /* a float but float8, or an integer of 32 or 64 bits: unsigned ones below 2^31 and 2^63
                         become signed ones of the same bytes */
    size_t rank;      /* 0 … 2 */
    uint64_t shape[2];
    const void *data; /* not of the pickle */
    bool transposed;  /* data is [shape[1], shape[0]]: written as it is, with strides that say so */
} saei_torch_out;

/* The number of elements of the storage. */
uint64_t saei_torch_elements(const saei_torch_out *tensor);

/* Protocol 2, for the archive member PREFIX/data.pkl; the storage of tensors[i] is PREFIX/data/i. A text with
   the name of a tensor is left out. *out is to be freed with saei_free. */
sae_status saei_torch_pickle_new(unsigned char **out, size_t *bytes, sae_context *context,
                                 const saei_torch_out *tensors, size_t n, const saei_metadata *texts,
                                 size_t n_texts, sae_error *err);

#endif
