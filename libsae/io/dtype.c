#include "io/dtype.h"
#include "num/convert.h"
#include "num/finite.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "file data is used in place: little-endian hosts only");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE float and double");

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[] = {
    [SAEI_F16] = {"float16", 2, true},
    [SAEI_BF16] = {"bfloat16", 2, true},
    [SAEI_F32] = {"float32", 4, true},
    [SAEI_F64] = {"float64", 8, true},
    [SAEI_I8] = {"int8", 1, false},
    [SAEI_I16] = {"int16", 2, false},
    [SAEI_I32] = {"int32", 4, false},
    [SAEI_I64] = {"int64", 8, false},
    [SAEI_U8] = {"uint8", 1, false},
    [SAEI_U16] = {"uint16", 2, false},
    [SAEI_U32] = {"uint32", 4, false},
    [SAEI_U64] = {"uint64", 8, false},
    [SAEI_BOOL] = {"bool", 1, false},
    [SAEI_F8_E4M3] = {"float8_e4m3", 1, true},
    [SAEI_F8_E5M2] = {"float8_e5m2", 1, true},
};

size_t saei_dtype_size(saei_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *saei_dtype_name(saei_dtype dtype)
{
    return dtypes[dtype].name;
}

bool saei_dtype_is_float(saei_dtype dtype)
{
    return dtypes[dtype].is_float;
}

/* out[i] = (target)bytes[i]. The element is read before out[i] is written: bytes may be the tail of out. */
#define CONVERT_EACH(target, type)                           \
    for (size_t i = 0; i < n; i++) {                         \
        type value;                                          \
        memcpy(&value, in + i * sizeof value, sizeof value); \
        out[i] = (target)value;                              \
    }                                                        \
    break

bool saei_dtype_to_f32(float *out, saei_dtype dtype, const void *bytes, size_t n)
{
    const unsigned char *in = bytes;
    switch (dtype) {
    case SAEI_F16:
        return saei_f16_to_f32(out, in, n);
    case SAEI_BF16:
        return saei_bf16_to_f32(out, in, n);
    case SAEI_F8_E4M3:
        saei_f8_e4m3_to_f32(out, in, n);
        break;
    case SAEI_F8_E5M2:
        saei_f8_e5m2_to_f32(out, in, n);
        break;
    case SAEI_F32:
        if (n > 0 && in != (const unsigned char *)out)
            memmove(out, in, n * sizeof *out);
        break;
    case SAEI_BOOL:
        for (size_t i = 0; i < n; i++)
            out[i] = in[i] != 0 ? 1.0f : 0.0f;
        break;
    case SAEI_F64:
        CONVERT_EACH(float, double);
    case SAEI_I8:
        CONVERT_EACH(float, int8_t);
    case SAEI_I16:
        CONVERT_EACH(float, int16_t);
    case SAEI_I32:
        CONVERT_EACH(float, int32_t);
    case SAEI_I64:
        CONVERT_EACH(float, int64_t);
    case SAEI_U8:
        CONVERT_EACH(float, uint8_t);
    case SAEI_U16:
        CONVERT_EACH(float, uint16_t);
    case SAEI_U32:
        CONVERT_EACH(float, uint32_t);
    case SAEI_U64:
        CONVERT_EACH(float, uint64_t);
    }
    return saei_all_finite(out, n);
}

static bool wide_to_f64(double *out, bool is_signed, const unsigned char *in, size_t n)
{
    const uint64_t exact = (uint64_t)1 << 53;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, in + i * sizeof bits, sizeof bits);
        bool negative = is_signed && bits >> 63 != 0;
        uint64_t magnitude = negative ? 0 - bits : bits;
        if (magnitude > exact)
            return false;
        out[i] = negative ? -(double)magnitude : (double)magnitude;
    }
    return true;
}

bool saei_dtype_to_f64(double *out, saei_dtype dtype, const void *bytes, size_t n)
{
    const unsigned char *in = bytes;
    switch (dtype) {
    case SAEI_I64:
    case SAEI_U64:
        return wide_to_f64(out, dtype == SAEI_I64, in, n);
    case SAEI_F64:
        if (n > 0)
            memmove(out, in, n * sizeof *out);
        break;
    case SAEI_I32:
        CONVERT_EACH(double, int32_t);
    case SAEI_U32:
        CONVERT_EACH(double, uint32_t);
    case SAEI_F32:
        CONVERT_EACH(double, float);
    default:
        /* At most 16 bits: a float holds each value, and a double the float. */
        assert(saei_dtype_size(dtype) <= 2);
        for (size_t i = 0; i < n; i++) {
            float value;
            saei_dtype_to_f32(&value, dtype, in + i * saei_dtype_size(dtype), 1);
            out[i] = (double)value;
        }
    }
    return true;
}

void saei_dtype_from_f32(void *out, saei_dtype dtype, const float *in, size_t n)
{
    unsigned char *bytes = out;
    switch (dtype) {
    case SAEI_F16:
        saei_f32_to_f16(bytes, in, n);
        break;
    case SAEI_BF16:
        saei_f32_to_bf16(bytes, in, n);
        break;
    case SAEI_F64:
        for (size_t i = 0; i < n; i++) {
            double value = (double)in[i];
            memcpy(bytes + i * sizeof value, &value, sizeof value);
        }
        break;
    default:
        assert(dtype == SAEI_F32);
        if (n > 0)
            memcpy(bytes, in, n * sizeof *in);
        break;
    }
}
