/* HDF5 as a format of the reader, with libhdf5 in this process: for the worker, and for files that are
 * trusted. */
#include "io/hdf5_file.h"
#include "io/hdf5_isolated.h"

static sae_status read_entries(void *out, void *state, size_t array, uint64_t first, uint64_t count,
                               sae_error *err)
{
    saei_hdf5_file *file = state;
    const saei_reader *reader = saei_hdf5_file_reader(file);
    const saei_hdf5_dataset *data = saei_hdf5_file_dataset(file, array);
    if (data->offset != SAEI_HDF5_NOT_PLAIN)
        return saei_hdf5_read_plain(out, saei_reader_input(reader), data, saei_reader_at(reader, array),
                                    first, count, err);
    return saei_hdf5_file_read(out, file, array, first, count, err);
}

static sae_status unpack_entries(bool *done, float *out, bool *finite, void *state, size_t array,
                                 uint64_t first, uint64_t count, const saei_unpacking *how, sae_error *err)
{
    saei_hdf5_file *file = state;
    return saei_chunk_table_unpack(done, out, finite, saei_hdf5_file_chunk_table(file),
                                   saei_hdf5_file_dataset(file, array), array, first, count, how, err);
}

static void close_file(void *state)
{
    saei_hdf5_file_close(state);
}

static const saei_format format = {
    .name = "HDF5", .read = read_entries, .unpack = unpack_entries, .close = close_file};

sae_status saei_hdf5_open(saei_reader *reader, sae_error *err)
{
    if (!saei_reader_is_trusted(reader))
        return saei_hdf5_open_isolated(reader, err);
    saei_hdf5_file *file;
    sae_status status = saei_hdf5_file_open(&file, reader, err);
    if (status == SAE_OK)
        saei_reader_set_format(reader, &format, file);
    return status;
}
