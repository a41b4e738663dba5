/* Element types of files and their conversion to float32 and double. */
#ifndef SAEI_DTYPE_H
#define SAEI_DTYPE_H

#include "sae/base.h"

typedef enum saei_dtype {
    SAEI_F16,
    SAEI_BF16,
    SAEI_F32,
    SAEI_F64,
    SAEI_I8,
    SAEI_I16,
    SAEI_I32,
    SAEI_I64,
    SAEI_U8,
    SAEI_U16,
    SAEI_U32,
    SAEI_U64,
    SAEI_BOOL
} saei_dtype;

size_t saei_dtype_size(saei_dtype dtype);
const char *saei_dtype_name(saei_dtype dtype); /* "float16", "bfloat16", … */
bool saei_dtype_is_float(saei_dtype dtype);

#endif
