/* A file of arrays in the format FUZZ_FORMAT: opened, listed, and each array read in two ways that must
 * agree. */
#include "fuzz_file.h"
#include "io/inflater.h"
#include "io/reader_format.h"

#include <string.h>

enum { ARRAYS_MAX = 32, ELEMENTS_MAX = 1 << 14, CHUNK_BYTES_MAX = 1 << 16 };

/* Entries from the first on, as many as fit into ELEMENTS_MAX. */
static uint64_t entries_to_read(const saei_array_info *array)
{
    uint64_t entry = saei_array_entry(array), entries = saei_array_entries(array);
    if (entry == 0 || entry > ELEMENTS_MAX)
        return 0;
    return entries < ELEMENTS_MAX / entry ? entries : ELEMENTS_MAX / entry;
}

/* The packed chunks that lie within the first n entries: what our threads make of them is what libhdf5 does.
 */
static void read_packed(saei_reader *reader, const saei_array_info *array, uint64_t n, const float *whole)
{
    static float unpacked[ELEMENTS_MAX];
    uint64_t entry = saei_array_entry(array), entries = saei_array_entries(array);
    if (array->packed_bytes == 0 || array->packed_bytes > CHUNK_BYTES_MAX)
        return;
    n -= n < entries ? n % array->chunk_rows : 0;
    saei_inflater *inflater;
    FUZZ_REQUIRE(saei_inflater_new(&inflater, saei_reader_context(reader), array->packed_bytes, NULL) ==
                 SAE_OK);
    const saei_lone_reader alone = {0};
    const saei_unpacking how = {inflater, &alone};
    bool finite = true;
    sae_status status = saei_reader_unpack_f32(unpacked, &finite, reader, array, 0, n, &how, NULL);
    if (status == SAE_OK && whole != NULL)
        FUZZ_REQUIRE(memcmp(unpacked, whole, n * entry * sizeof *whole) == 0);
    saei_inflater_free(inflater);
}

static void read_array(saei_reader *reader, const saei_array_info *array)
{
    static float whole[ELEMENTS_MAX], parts[ELEMENTS_MAX];
    static double wide[ELEMENTS_MAX];
    uint64_t n = entries_to_read(array), entry = saei_array_entry(array);
    if (n == 0)
        return;
    sae_status status = saei_reader_read_f32(whole, reader, array, 0, n, NULL);
    saei_reader_read_f64(wide, reader, array, 0, n, NULL);
    bool read = true;
    for (uint64_t done = 0, step = 1; read && done < n; done += step, step = 2 * step + 1) {
        step = step < n - done ? step : n - done;
        read = saei_reader_read_f32(parts + done * entry, reader, array, done, step, NULL) == SAE_OK;
    }
    if (status == SAE_OK && read)
        FUZZ_REQUIRE(memcmp(whole, parts, n * entry * sizeof *whole) == 0);
    read_packed(reader, array, n, status == SAE_OK ? whole : NULL);
    /* The last entry, and one beyond it. */
    uint64_t entries = saei_array_entries(array);
    saei_reader_read_f32(parts, reader, array, entries - 1, 1, NULL);
    FUZZ_REQUIRE(saei_reader_read_f32(parts, reader, array, entries, 1, NULL) == SAE_E_ARGUMENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    saei_reader *reader;
    sae_error err;
    sae_status status = saei_reader_open(&reader, fuzz_context(), fuzz_file(data, size), &err);
    FUZZ_REQUIRE((status == SAE_OK) == (reader != NULL));
    if (status != SAE_OK) {
        FUZZ_REQUIRE(err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
        return 0;
    }
    size_t n = saei_reader_count(reader);
    if (strstr(FUZZ_FORMAT, saei_reader_format(reader)) != NULL)
        for (size_t i = 0; i < n && i < ARRAYS_MAX; i++)
            read_array(reader, saei_reader_at(reader, i));
    saei_reader_free(reader);
    return 0;
}
