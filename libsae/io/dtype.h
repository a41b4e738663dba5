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
    SAEI_BOOL,
    SAEI_F8_E4M3,
    SAEI_F8_E5M2
} saei_dtype;

size_t saei_dtype_size(saei_dtype dtype);
const char *saei_dtype_name(saei_dtype dtype); /* "float16", "bfloat16", … */
bool saei_dtype_is_float(saei_dtype dtype);

/* Converts n elements as stored, little-endian, at any alignment; bytes may be the tail of the buffer that
   out fills, all of it included. Doubles and wide integers round to the nearest float. Returns whether no
   value of out is NaN or infinite. */
bool saei_dtype_to_f32(float *out, saei_dtype dtype, const void *bytes, size_t n);
/* The same to double: exact, or false when an integer is beyond 2^53. */
bool saei_dtype_to_f64(double *out, saei_dtype dtype, const void *bytes, size_t n);

/* Converts n floats to SAEI_F16, SAEI_BF16, SAEI_F32 or SAEI_F64, to the nearest, at any alignment of out,
   which does not overlap in. */
void saei_dtype_from_f32(void *out, saei_dtype dtype, const float *in, size_t n);

#endif
