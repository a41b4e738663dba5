#include "io/npy_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* .npy 1.0: magic, version, little-endian length of a Python dictionary that is padded with spaces to a
   multiple of 64 bytes and ends in a newline. */
enum { PREFIX_BYTES = 10 };

static const char *descr(saei_dtype dtype)
{
    switch (dtype) {
    case SAEI_F16:
        return "<f2";
    case SAEI_BF16:
        return "bfloat16";
    case SAEI_F64:
        return "<f8";
    default:
        assert(dtype == SAEI_F32);
        return "<f4";
    }
}

void saei_npy_header(unsigned char out[SAEI_NPY_HEADER_BYTES], saei_dtype dtype, uint64_t rows,
                     uint64_t columns)
{
    char text[SAEI_NPY_HEADER_BYTES - PREFIX_BYTES], second[24] = "";
    if (columns > 0)
        snprintf(second, sizeof second, " %" PRIu64, columns);
    int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRIu64 ",%s), }",
                 descr(dtype), rows, second);
    memset(out, ' ', SAEI_NPY_HEADER_BYTES);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = SAEI_NPY_HEADER_BYTES - PREFIX_BYTES;
    out[9] = 0;
    memcpy(out + PREFIX_BYTES, text, (size_t)length);
    out[SAEI_NPY_HEADER_BYTES - 1] = '\n';
}
