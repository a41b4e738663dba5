#include "base/error.h"
#include "io/atomic_file.h"
#include "sae/steer.h"

#include <stdio.h>
#include <string.h>

/* .npy 1.0: magic, version, little-endian length of a Python dictionary that is padded with spaces to a
   multiple of 64 bytes and ends in a newline, then the data. */
enum { PREFIX_BYTES = 10, HEADER_BYTES = 128 };

static void make_header(unsigned char header[HEADER_BYTES], size_t n)
{
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER_BYTES - PREFIX_BYTES;
    header[9] = 0;
    char text[HEADER_BYTES - PREFIX_BYTES];
    int length =
        snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu,), }", n);
    memcpy(header + PREFIX_BYTES, text, (size_t)length);
    header[HEADER_BYTES - 1] = '\n';
}

sae_status sae_vector_save(const float *values, size_t n, sae_context *context, const char *path,
                           bool overwrite, sae_error *err)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they lie in memory");
    if (n > SIZE_MAX / sizeof *values)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: %zu numbers are too many", path, n);
    unsigned char header[HEADER_BYTES];
    make_header(header, n);
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, header, sizeof header, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, values, n * sizeof *values, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}
