/* .npy: the header and one array. */
#include "io/flat_file.h"
#include "io/npy_write.h"

static size_t head(const saei_flat_file *flat, const saei_flat_array *array)
{
    (void)flat, (void)array;
    return SAEI_NPY_HEADER_BYTES;
}

static sae_status finish(saei_flat_file *flat, sae_error *err)
{
    unsigned char header[SAEI_NPY_HEADER_BYTES];
    const saei_flat_array *array = flat->order[0];
    saei_npy_header(header, array->dtype, array->rows, array->columns);
    return saei_atomic_file_write_at(flat->file, 0, header, sizeof header, err);
}

const saei_flat_format saei_flat_npy = {.single = true, .head = head, .finish = finish};
