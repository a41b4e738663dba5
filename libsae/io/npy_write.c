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
    case SAEI_I64:
        return "<i8";
    case SAEI_U32:
        return "<u4";
    case SAEI_U64:
        return "<u8";
    default:
        assert(dtype == SAEI_F32);
        return "<f4";
    }
}

void saei_npy_header_shaped(unsigned char out[SAEI_NPY_HEADER_BYTES], saei_dtype dtype, size_t rank,
                            const uint64_t *shape, bool fortran)
{
    assert(rank <= 2);
    char text[SAEI_NPY_HEADER_BYTES - PREFIX_BYTES], extents[48] = "";
    if (rank == 1)
        snprintf(extents, sizeof extents, "%" PRIu64 ",", shape[0]);
    if (rank == 2)
        snprintf(extents, sizeof extents, "%" PRIu64 ", %" PRIu64, shape[0], shape[1]);
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }",
                          descr(dtype), fortran ? "True" : "False", extents);
    memset(out, ' ', SAEI_NPY_HEADER_BYTES);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = SAEI_NPY_HEADER_BYTES - PREFIX_BYTES;
    out[9] = 0;
    memcpy(out + PREFIX_BYTES, text, (size_t)length);
    out[SAEI_NPY_HEADER_BYTES - 1] = '\n';
}

void saei_npy_header(unsigned char out[SAEI_NPY_HEADER_BYTES], saei_dtype dtype, uint64_t rows,
                     uint64_t columns)
{
    saei_npy_header_shaped(out, dtype, columns > 0 ? 2 : 1, (const uint64_t[]){rows, columns}, false);
}
