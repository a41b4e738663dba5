#include "io/hdf5_chunk_table.h"
#include "base/context.h"
#include "base/memory.h"
#include "io/hdf5_chunks.h"
#include "io/reader_format.h"

/* A table takes at most this part of the memory that is left, and at most so much. */
enum { MEMORY_SHARE = 16, TABLE_BYTES_MAX = 32 << 20 };

void saei_chunk_table_clear(saei_chunk_table *table)
{
    saei_free(saei_reader_context(table->reader), table->places);
    table->places = NULL;
    table->count = 0;
}

static size_t table_bytes(const saei_hdf5_packing *packing, const saei_array_info *info, uint64_t first,
                          uint64_t count)
{
    return saei_mul(saei_chunk_grid_of(packing, info, first, count).n_chunks, sizeof(saei_chunk_place));
}

/* *found = false: the places take too much memory. */
static sae_status find_places(bool *found, saei_chunk_table *table, const saei_hdf5_packing *packing,
                              size_t array, uint64_t first, uint64_t count, sae_error *err)
{
    const saei_array_info *info = saei_reader_at(table->reader, array);
    sae_context *context = saei_reader_context(table->reader);
    *found = table->count > 0 && table->array == array && first >= table->first &&
             first + count <= table->first + table->count;
    if (*found)
        return SAE_OK;
    saei_chunk_table_clear(table);
    uint64_t share = saei_memory_left(context) / MEMORY_SHARE;
    share = share < TABLE_BYTES_MAX ? share : TABLE_BYTES_MAX;
    if (table_bytes(packing, info, 0, info->shape[0]) <= share) {
        first = 0;
        count = info->shape[0];
    }
    size_t bytes = table_bytes(packing, info, first, count);
    if (bytes > share)
        return SAE_OK;
    sae_status status = saei_alloc(&table->places, context, bytes, 1, err);
    if (status == SAE_OK)
        status = table->find(table->places, table->state, array, first, count, err);
    if (status != SAE_OK) {
        saei_chunk_table_clear(table);
        return status;
    }
    *found = true;
    table->array = array;
    table->first = first;
    table->count = count;
    return SAE_OK;
}

sae_status saei_chunk_table_unpack(bool *done, float *out, bool *finite, saei_chunk_table *table,
                                   const saei_hdf5_dataset *data, size_t array, uint64_t first,
                                   uint64_t count, const saei_unpacking *how, sae_error *err)
{
    const saei_hdf5_packing *packing = &data->packing;
    const saei_array_info *info = saei_reader_at(table->reader, array);
    *done = false;
    if (!saei_hdf5_whole_chunks(packing, info, first, count))
        return SAE_OK;
    bool found;
    sae_status status = find_places(&found, table, packing, array, first, count, err);
    if (status != SAE_OK || !found)
        return status;
    size_t before = saei_chunk_grid_of(packing, info, table->first, first - table->first).n_chunks;
    saei_hdf5_chunk_read read = {.input = saei_reader_input(table->reader),
                                 .info = info,
                                 .packing = packing,
                                 .places = table->places + before,
                                 .out = out,
                                 .first = first,
                                 .count = count};
    return saei_hdf5_read_chunks(done, finite, &read, how, err);
}
