#include "io/hdf5_dataset.h"
#include "io/reader_format.h"
#include "num/convert.h"

void saei_hdf5_place(saei_array_info *info, const saei_hdf5_dataset *data, const saei_byte_run *file)
{
    if (data->offset == SAEI_HDF5_NOT_PLAIN || data->packing.big_endian)
        return;
    info->run = file;
    info->start = data->offset;
}

sae_status saei_hdf5_read_plain(void *out, const saei_input_file *input, const saei_hdf5_dataset *data,
                                const saei_array_info *info, uint64_t first, uint64_t count, sae_error *err)
{
    size_t item = saei_dtype_size(info->dtype);
    uint64_t entry = saei_array_entry(info);
    sae_status status = saei_input_file_read(out, input, data->offset + first * entry * item,
                                             (size_t)(count * entry * item), err);
    if (status == SAE_OK && data->packing.big_endian)
        saei_swap_bytes(out, item, (size_t)(count * entry));
    return status;
}

saei_chunk_grid saei_chunk_grid_of(const saei_hdf5_packing *packing, const saei_array_info *info,
                                   uint64_t first, uint64_t count)
{
    saei_chunk_grid grid = {.rank = info->rank, .n_chunks = 1, .first = first};
    for (size_t axis = 0; axis < info->rank; axis++) {
        uint64_t extent = axis == 0 ? count : info->shape[axis], chunk = packing->chunk[axis];
        grid.chunk[axis] = chunk;
        grid.along[axis] = extent / chunk + (extent % chunk != 0);
        grid.n_chunks *= (size_t)grid.along[axis];
    }
    return grid;
}

void saei_chunk_grid_start(uint64_t start[SAEI_ARRAY_RANK_MAX], const saei_chunk_grid *grid, size_t index)
{
    for (size_t axis = grid->rank; axis-- > 0;) {
        start[axis] = index % grid->along[axis] * grid->chunk[axis] + (axis == 0 ? grid->first : 0);
        index /= (size_t)grid->along[axis];
    }
}
