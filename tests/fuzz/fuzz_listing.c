/* What a worker lists of an HDF5 file: whatever is accepted lies in the file. */
#include "base/memory.h"
#include "fuzz_file.h"
#include "io/hdf5_listing.h"
#include "io/reader_format.h"

/* Any small file that opens. */
static const uint8_t npy[128] =
    "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (0,)}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    saei_reader *reader;
    saei_hdf5_dataset *datasets;
    uint8_t file[sizeof npy];
    for (size_t i = 0; i < sizeof npy; i++)
        file[i] = i >= 10 && npy[i] == 0 ? ' ' : npy[i];
    FUZZ_REQUIRE(saei_reader_open(&reader, fuzz_context(), fuzz_file(file, sizeof file), NULL) == SAE_OK);
    size_t before = saei_reader_count(reader);
    sae_status status = saei_hdf5_listing_read(&datasets, reader, data, size, NULL);
    FUZZ_REQUIRE((status == SAE_OK) == (datasets != NULL));
    for (size_t i = before; status == SAE_OK && i < saei_reader_count(reader); i++) {
        const saei_array_info *array = saei_reader_at(reader, i);
        const saei_hdf5_dataset *set = &datasets[i - before];
        uint64_t bytes = saei_array_entry(array) * saei_array_entries(array) * saei_dtype_size(array->dtype);
        FUZZ_REQUIRE(set->offset == SAEI_HDF5_NOT_PLAIN || set->offset + bytes <= sizeof file);
        FUZZ_REQUIRE(array->packed_bytes == 0 || array->packed_bytes == set->packing.chunk_bytes);
    }
    saei_free(saei_reader_context(reader), datasets);
    saei_reader_free(reader);
    return 0;
}
