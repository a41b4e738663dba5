/* Reading all of a file, for its checksums. */
#include "base/memory.h"
#include "io/crc32.h"
#include "io/reader_format.h"

#include <math.h>
#include <string.h>

enum { BLOCK_FLOATS = 1 << 20, CHUNK_FLOATS_MAX = 1 << 24 };

/* Entries that are read together: whole chunks where they are of a bearable size. */
static uint64_t entries_at_once(const saei_array_info *array)
{
    uint64_t entry = saei_array_entry(array), wanted = BLOCK_FLOATS / entry;
    if (array->chunk_rows > wanted && array->chunk_rows <= CHUNK_FLOATS_MAX / entry)
        wanted = array->chunk_rows;
    else if (array->chunk_rows > 0 && wanted > array->chunk_rows)
        wanted -= wanted % array->chunk_rows;
    return wanted > 0 ? wanted : 1;
}

static uint32_t add_floats(uint32_t crc, float *values, size_t n)
{
    const uint32_t one_nan = 0x7fc00000u;
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]))
            memcpy(&values[i], &one_nan, sizeof one_nan);
    return saei_crc32(crc, values, n * sizeof *values);
}

sae_status saei_reader_crc32(uint32_t *out, saei_reader *reader, const saei_array_info *array, sae_error *err)
{
    uint64_t entries = saei_array_entries(array), entry = saei_array_entry(array);
    uint32_t crc = 0;
    *out = crc;
    if (entries == 0 || entry == 0)
        return SAE_OK;
    uint64_t step = entries_at_once(array);
    step = step < entries ? step : entries;
    float *block;
    sae_context *context = saei_reader_context(reader);
    sae_status status =
        saei_alloc(&block, context, saei_mul((size_t)step, (size_t)entry), sizeof *block, err);
    for (uint64_t first = 0; status == SAE_OK && first < entries; first += step) {
        uint64_t n = entries - first < step ? entries - first : step;
        status = saei_reader_read_f32(block, reader, array, first, n, err);
        if (status == SAE_OK)
            crc = add_floats(crc, block, (size_t)(n * entry));
    }
    saei_free(context, block);
    *out = crc;
    return status;
}
