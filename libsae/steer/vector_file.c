#include "base/error.h"
#include "io/atomic_file.h"
#include "io/npy_write.h"
#include "sae/steer.h"

sae_status sae_vector_save(const float *values, size_t n, sae_context *context, const char *path,
                           bool overwrite, sae_error *err)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they lie in memory");
    if (n > SIZE_MAX / sizeof *values)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: %zu numbers are too many", path, n);
    unsigned char header[SAEI_NPY_HEADER_BYTES];
    saei_npy_header(header, SAEI_F32, n, 0);
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
