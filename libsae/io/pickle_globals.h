/* The names that a pickle may use. */
#ifndef SAEI_PICKLE_GLOBALS_H
#define SAEI_PICKLE_GLOBALS_H

#include "io/pickle.h"

static const struct {
    const char *module, *name;
    saei_pickle_global global;
    saei_dtype dtype; /* of storages and dtypes */
} saei_pickle_globals[] = {
    {"collections", "OrderedDict", SAEI_PICKLE_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor", SAEI_PICKLE_TENSOR, 0},
    {"torch._utils", "_rebuild_tensor_v2", SAEI_PICKLE_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor_v3", SAEI_PICKLE_TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", SAEI_PICKLE_PARAMETER, 0},
    {"torch", "Size", SAEI_PICKLE_SIZE, 0},
    {"torch", "device", SAEI_PICKLE_DEVICE, 0},
    {"torch", "FloatStorage", SAEI_PICKLE_STORAGE, SAEI_F32},
    {"torch", "DoubleStorage", SAEI_PICKLE_STORAGE, SAEI_F64},
    {"torch", "HalfStorage", SAEI_PICKLE_STORAGE, SAEI_F16},
    {"torch", "BFloat16Storage", SAEI_PICKLE_STORAGE, SAEI_BF16},
    {"torch", "LongStorage", SAEI_PICKLE_STORAGE, SAEI_I64},
    {"torch", "IntStorage", SAEI_PICKLE_STORAGE, SAEI_I32},
    {"torch", "ShortStorage", SAEI_PICKLE_STORAGE, SAEI_I16},
    {"torch", "CharStorage", SAEI_PICKLE_STORAGE, SAEI_I8},
    {"torch", "ByteStorage", SAEI_PICKLE_STORAGE, SAEI_U8},
    {"torch", "BoolStorage", SAEI_PICKLE_STORAGE, SAEI_BOOL},
    {"torch.storage", "UntypedStorage", SAEI_PICKLE_BYTES, SAEI_U8},
    {"torch", "UntypedStorage", SAEI_PICKLE_BYTES, SAEI_U8},
    {"torch", "float32", SAEI_PICKLE_DTYPE, SAEI_F32},
    {"torch", "float64", SAEI_PICKLE_DTYPE, SAEI_F64},
    {"torch", "float16", SAEI_PICKLE_DTYPE, SAEI_F16},
    {"torch", "bfloat16", SAEI_PICKLE_DTYPE, SAEI_BF16},
    {"torch", "int64", SAEI_PICKLE_DTYPE, SAEI_I64},
    {"torch", "int32", SAEI_PICKLE_DTYPE, SAEI_I32},
    {"torch", "int16", SAEI_PICKLE_DTYPE, SAEI_I16},
    {"torch", "int8", SAEI_PICKLE_DTYPE, SAEI_I8},
    {"torch", "uint8", SAEI_PICKLE_DTYPE, SAEI_U8},
    {"torch", "uint16", SAEI_PICKLE_DTYPE, SAEI_U16},
    {"torch", "uint32", SAEI_PICKLE_DTYPE, SAEI_U32},
    {"torch", "uint64", SAEI_PICKLE_DTYPE, SAEI_U64},
    {"torch", "bool", SAEI_PICKLE_DTYPE, SAEI_BOOL},
    {"torch", "float8_e4m3fn", SAEI_PICKLE_DTYPE, SAEI_F8_E4M3},
    {"torch", "float8_e5m2", SAEI_PICKLE_DTYPE, SAEI_F8_E5M2},
};

enum { SAEI_PICKLE_GLOBALS = sizeof saei_pickle_globals / sizeof *saei_pickle_globals };

#endif
