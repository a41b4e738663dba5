#include "dump/shard_open.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/dataset.h"

enum {
    SCATTER_ROWS = 256, /* read together to serve scattered rows of a contiguous array */
    CACHE_SHARE = 8     /* the block cache takes at most this part of the memory limit */
};

static sae_status measure(saei_shard *shard, sae_error *err)
{
    const saei_array_info *array = shard->array;
    uint64_t entries = array->shape[0], d = array->shape[array->rank - 1];
    shard->rows_per_entry = array->rank == 3 ? array->shape[1] : 1;
    if (__builtin_mul_overflow(entries, shard->rows_per_entry, &shard->rows) ||
        saei_mul(saei_mul((size_t)shard->rows_per_entry, (size_t)d), sizeof(float)) == SIZE_MAX)
        return saei_fail(err, SAE_E_FORMAT, "%s: the extents of '%s' are beyond any file", shard->name,
                         array->name);
    /* An empty 3-D array has no positions; nothing may be divided by them. */
    if (shard->rows_per_entry == 0)
        shard->rows_per_entry = 1;
    shard->d = (size_t)d;
    return SAE_OK;
}

static void choose_blocks(saei_shard *shard, const sae_context *context)
{
    size_t row_bytes = saei_mul(shard->d, sizeof(float));
    uint64_t budget = sae_context_memory_limit(context) / CACHE_SHARE / row_bytes;
    uint64_t per_entry = shard->rows_per_entry, chunk = shard->array->chunk_rows;
    uint64_t wanted = chunk > 0 ? chunk : SCATTER_ROWS / per_entry, affordable = budget / per_entry;
    /* A chunk that memory cannot hold is inflated by its reader anyway: pieces of it do. */
    bool whole_chunks = chunk > 0 && chunk <= affordable;
    if (!whole_chunks && chunk > 0)
        wanted = SCATTER_ROWS / per_entry;
    uint64_t entries = wanted < affordable ? wanted : affordable;
    shard->block_rows = (entries > 0 ? entries : 1) * per_entry;
    shard->any_run = per_entry == 1 && !whole_chunks;
}

sae_status saei_shard_open(saei_shard *out, sae_context *context, const char *path, const char *dataset,
                           sae_error *err)
{
    *out = (saei_shard){0};
    saei_shard shard = {0};
    sae_status status = saei_reader_open(&shard.reader, context, path, err);
    if (status != SAE_OK)
        return status;
    shard.name = saei_reader_path(shard.reader);
    status = saei_dataset_find(&shard.array, shard.reader, dataset, err);
    if (status == SAE_OK)
        status = measure(&shard, err);
    if (status == SAE_OK) {
        choose_blocks(&shard, context);
        status = saei_shard_find_columns(&shard, context, err);
    }
    if (status != SAE_OK) {
        saei_shard_close(&shard, context);
        return status;
    }
    *out = shard;
    return SAE_OK;
}
