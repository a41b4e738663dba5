#include "dump/shard.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "dump/ranges.h"
#include "num/finite.h"

#include <assert.h>
#include <string.h>

/* From here on a seek costs less than the rows around the run. */
enum { DIRECT_RUN_ROWS = 32 };

static sae_status take_memory(saei_block_cache *cache, sae_error *err)
{
    sae_status status = SAE_OK;
    if (cache->floats > 0)
        status = saei_alloc(&cache->rows, cache->context, cache->floats, sizeof *cache->rows, err);
    if (status == SAE_OK)
        status = saei_inflater_new(&cache->inflater, cache->context, cache->packed_bytes, err);
    return status;
}

static void give_back_memory(saei_block_cache *cache)
{
    saei_inflater_free(cache->inflater);
    saei_free(cache->context, cache->rows);
    cache->inflater = NULL;
    cache->rows = NULL;
    cache->shard = NULL;
}

sae_status saei_block_cache_new(saei_block_cache **out, sae_context *context, size_t floats,
                                uint64_t packed_bytes, sae_error *err)
{
    *out = NULL;
    saei_block_cache *cache;
    sae_status status = saei_alloc(&cache, context, 1, sizeof *cache, err);
    if (status != SAE_OK)
        return status;
    *cache = (saei_block_cache){.context = context, .floats = floats, .packed_bytes = packed_bytes};
    status = take_memory(cache, err);
    if (status != SAE_OK) {
        give_back_memory(cache);
        saei_free(context, cache);
        return status;
    }
    pthread_mutex_init(&cache->mutex, NULL);
    *out = cache;
    return SAE_OK;
}

void saei_block_cache_free(saei_block_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->mutex);
    give_back_memory(cache);
    saei_free(cache->context, cache);
}

void saei_block_cache_rest(saei_block_cache *cache)
{
    give_back_memory(cache);
    cache->rests = true;
}

static sae_status wake(saei_block_cache *cache, sae_error *err)
{
    sae_status status = SAE_OK;
    pthread_mutex_lock(&cache->mutex);
    if (cache->rests) {
        status = take_memory(cache, err);
        if (status != SAE_OK)
            give_back_memory(cache);
        cache->rests = status != SAE_OK;
    }
    pthread_mutex_unlock(&cache->mutex);
    return status;
}

static void copy_view(float *out, const sae_view *view, uint64_t first, uint64_t count)
{
    const float *row = view->data + (size_t)first * view->stride;
    if (view->stride == view->cols) {
        memcpy(out, row, (size_t)count * view->cols * sizeof *out);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        memcpy(out + i * view->cols, row + i * view->stride, view->cols * sizeof *out);
}

static sae_status read_entries(float *out, bool *finite, const saei_shard *shard,
                               const saei_block_cache *cache, uint64_t first, uint64_t count,
                               const saei_lone_reader *alone, sae_error *err)
{
    uint64_t per_entry = shard->rows_per_entry;
    assert(first % per_entry == 0 && count % per_entry == 0);
    const saei_unpacking how = {cache->inflater, alone};
    return saei_reader_unpack_f32(out, finite, shard->reader, shard->array, first / per_entry,
                                  count / per_entry, &how, err);
}

static sae_status read_from_block(float *out, bool *finite, const saei_shard *shard, saei_block_cache *cache,
                                  uint64_t first, uint64_t count, const saei_lone_reader *alone,
                                  sae_error *err)
{
    uint64_t block = first / shard->block_rows, start = block * shard->block_rows;
    uint64_t rows = shard->rows - start < shard->block_rows ? shard->rows - start : shard->block_rows;
    sae_status status = SAE_OK;
    bool whole_finite = true;
    pthread_mutex_lock(&cache->mutex);
    if (cache->shard != shard || cache->block != block) {
        cache->shard = NULL;
        status = read_entries(cache->rows, &whole_finite, shard, cache, start, rows, alone, err);
        if (status == SAE_OK) {
            cache->shard = shard;
            cache->block = block;
        }
    }
    if (status == SAE_OK)
        memcpy(out, cache->rows + (size_t)(first - start) * shard->d, (size_t)count * shard->d * sizeof *out);
    pthread_mutex_unlock(&cache->mutex);
    /* The block may be finite or not where it was not asked for. */
    if (status == SAE_OK)
        *finite &= saei_all_finite(out, (size_t)count * shard->d);
    return status;
}

sae_status saei_shard_read(float *out, bool *finite, const saei_shard *shard, saei_block_cache *cache,
                           uint64_t first, uint64_t count, const saei_lone_reader *alone, sae_error *err)
{
    assert(first <= shard->rows && count <= shard->rows - first);
    if (shard->sides != NULL)
        return saei_sides_read(out, finite, shard->sides, first, count, alone, err);
    if (shard->reader == NULL) {
        copy_view(out, &shard->view, first, count);
        *finite &= saei_all_finite(out, (size_t)count * shard->d);
        return SAE_OK;
    }
    sae_status status = wake(cache, err);
    if (status == SAE_OK && shard->any_run && count >= DIRECT_RUN_ROWS)
        return read_entries(out, finite, shard, cache, first, count, alone, err);
    while (count > 0 && status == SAE_OK) {
        uint64_t into = first % shard->block_rows, end = first + count, rows;
        bool to_the_end = end == shard->rows;
        if (into == 0 && (count >= shard->block_rows || to_the_end)) {
            rows = to_the_end ? count : count - count % shard->block_rows;
            status = read_entries(out, finite, shard, cache, first, rows, alone, err);
        } else {
            rows = shard->block_rows - into < count ? shard->block_rows - into : count;
            status = read_from_block(out, finite, shard, cache, first, rows, alone, err);
        }
        out += (size_t)rows * shard->d;
        first += rows;
        count -= rows;
    }
    return status;
}

const saei_column *saei_shard_column(const saei_shard *shard, const char *name)
{
    for (size_t i = 0; i < shard->n_columns; i++)
        if (strcmp(shard->columns[i].name, name) == 0)
            return &shard->columns[i];
    return NULL;
}

bool saei_shard_fits_column(const saei_shard *shard, const saei_array_info *array)
{
    if (array->rank == 1)
        return array->shape[0] == shard->rows;
    return array->rank == 2 && shard->array->rank == 3 && array->shape[0] == shard->array->shape[0] &&
           array->shape[1] == shard->array->shape[1];
}

sae_status saei_column_open(saei_column_reader *out, sae_context *context, const saei_shard *shard,
                            const char *name, sae_error *err)
{
    const saei_column *column = saei_shard_column(shard, name);
    assert(column != NULL);
    *out = (saei_column_reader){.shard = shard, .column = column};
    if (column->source != SAEI_COLUMN_FILE && column->source != SAEI_COLUMN_WHOLE)
        return SAE_OK;
    sae_status status = saei_reader_open(&out->own, context, column->path, err);
    if (status != SAE_OK)
        return status;
    const saei_array_info *array = saei_reader_count(out->own) == 1 ? saei_reader_at(out->own, 0) : NULL;
    if (array != NULL && (column->source == SAEI_COLUMN_FILE
                              ? saei_shard_fits_column(shard, array)
                              : array->rank == 1 && array->shape[0] >= column->first + shard->rows))
        return SAE_OK;
    saei_column_close(out);
    return saei_fail(err, SAE_E_MISMATCH, "%s: changed since the dump was opened", column->path);
}

void saei_column_close(saei_column_reader *reader)
{
    saei_reader_free(reader->own);
    reader->own = NULL;
}

static sae_status read_array(double *out, const saei_shard *shard, saei_reader *reader,
                             const saei_array_info *array, uint64_t first, uint64_t count, sae_error *err)
{
    uint64_t per_entry = array->rank == 1 ? 1 : shard->rows_per_entry;
    assert(first % per_entry == 0 && count % per_entry == 0);
    return saei_reader_read_f64(out, reader, array, first / per_entry, count / per_entry, err);
}

sae_status saei_column_read(double *out, const saei_column_reader *reader, uint64_t first, uint64_t count,
                            sae_error *err)
{
    const saei_shard *shard = reader->shard;
    const saei_column *column = reader->column;
    assert(first <= shard->rows && count <= shard->rows - first);
    switch (column->source) {
    case SAEI_COLUMN_ARRAY:
        return read_array(out, shard, shard->reader, column->array, first, count, err);
    case SAEI_COLUMN_FILE:
        return read_array(out, shard, reader->own, saei_reader_at(reader->own, 0), first, count, err);
    case SAEI_COLUMN_WHOLE:
        return saei_reader_read_f64(out, reader->own, saei_reader_at(reader->own, 0), column->first + first,
                                    count, err);
    case SAEI_COLUMN_PROMPT:
    case SAEI_COLUMN_IN_PROMPT:
        saei_ranges_read(out, column, first, count);
        return SAE_OK;
    case SAEI_COLUMN_SEQUENCE:
        for (uint64_t i = 0; i < count; i++)
            out[i] = (double)(shard->first_sequence + (first + i) / shard->rows_per_entry);
        return SAE_OK;
    case SAEI_COLUMN_POSITION:
        for (uint64_t i = 0; i < count; i++)
            out[i] = (double)((first + i) % shard->rows_per_entry);
        return SAE_OK;
    case SAEI_COLUMN_MEMORY:
        memcpy(out, column->values + first, (size_t)count * sizeof *out);
        return SAE_OK;
    case SAEI_COLUMN_DUMP:
        return saei_dump_read_column_part(out, column->dump, column->name, first, (size_t)count, err);
    }
    return SAE_OK;
}

void saei_shard_close(saei_shard *shard, sae_context *context)
{
    for (size_t i = 0; i < shard->n_columns; i++) {
        saei_free(context, shard->columns[i].name);
        saei_free(context, shard->columns[i].path);
        saei_free(context, shard->columns[i].values);
    }
    saei_free(context, shard->columns);
    saei_sides_free(shard->sides);
    saei_reader_free(shard->reader);
}
