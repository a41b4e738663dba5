/* The names safetensors gives to element types. */
#ifndef SAEI_SAFETENSORS_DTYPE_H
#define SAEI_SAFETENSORS_DTYPE_H

#include "io/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    saei_dtype dtype;
} saei_safetensors_dtypes[] = {
    {"F16", SAEI_F16},         {"BF16", SAEI_BF16},       {"F32", SAEI_F32},   {"F64", SAEI_F64},
    {"I8", SAEI_I8},           {"I16", SAEI_I16},         {"I32", SAEI_I32},   {"I64", SAEI_I64},
    {"U8", SAEI_U8},           {"U16", SAEI_U16},         {"U32", SAEI_U32},   {"U64", SAEI_U64},
    {"F8_E4M3", SAEI_F8_E4M3}, {"F8_E5M2", SAEI_F8_E5M2}, {"BOOL", SAEI_BOOL},
};

enum { SAEI_SAFETENSORS_DTYPES = sizeof saei_safetensors_dtypes / sizeof *saei_safetensors_dtypes };

#endif
