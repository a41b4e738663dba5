#include "dump/dump.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "dump/ranges.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_ROWS_MIN = 256, BLOCK_ROWS_MAX = 8192 };

void sae_dump_free(sae_dump *dump)
{
    if (dump == NULL)
        return;
    sae_context *context = dump->context;
    for (size_t i = 0; i < dump->n_shards; i++)
        saei_shard_close(&dump->shards[i], context);
    saei_free(context, dump->shards);
    for (size_t i = 0; i < dump->n_ranges; i++)
        saei_ranges_free(&dump->ranges[i], context);
    saei_free(context, dump->ranges);
    saei_selection_free(&dump->selection, context);
    saei_block_cache_free(dump->cache);
    saei_free(context, dump->name);
    saei_free(context, dump);
}

const char *sae_dump_name(const sae_dump *dump)
{
    return dump->name;
}

size_t sae_dump_dim(const sae_dump *dump)
{
    return dump->d;
}

uint64_t sae_dump_rows(const sae_dump *dump)
{
    return dump->selection.count;
}

uint64_t sae_dump_rows_total(const sae_dump *dump)
{
    return dump->selection.total;
}

uint64_t sae_dump_rows_dropped(const sae_dump *dump)
{
    return dump->dropped;
}

size_t sae_dump_columns(const sae_dump *dump)
{
    return dump->shards[0].n_columns;
}

const char *sae_dump_column_name(const sae_dump *dump, size_t i)
{
    return i < sae_dump_columns(dump) ? dump->shards[0].columns[i].name : NULL;
}

bool sae_dump_has_column(const sae_dump *dump, const char *name)
{
    return saei_shard_column(&dump->shards[0], name) != NULL;
}

const char *sae_dump_attribute(const sae_dump *dump, const char *name)
{
    if (dump->shards[0].sides != NULL)
        return sae_dump_attribute(saei_sides_before(dump->shards[0].sides), name);
    const saei_reader *reader = dump->shards[0].reader;
    for (size_t i = 0; reader != NULL && i < saei_reader_attributes(reader); i++)
        if (strcmp(saei_reader_attribute_name(reader, i), name) == 0)
            return saei_reader_attribute_value(reader, i);
    return NULL;
}

sae_context *saei_dump_context(const sae_dump *dump)
{
    return dump->context;
}

uint64_t saei_dump_block_rows(const sae_dump *dump)
{
    uint64_t rows = BLOCK_ROWS_MIN;
    for (size_t i = 0; i < dump->n_shards; i++) {
        const saei_shard *shard = &dump->shards[i];
        uint64_t chunk = shard->reader != NULL  ? shard->array->chunk_rows
                         : shard->sides != NULL ? saei_sides_block_rows(shard->sides)
                                                : 0;
        if (chunk > BLOCK_ROWS_MAX / shard->rows_per_entry)
            return BLOCK_ROWS_MAX;
        if (chunk * shard->rows_per_entry > rows)
            rows = chunk * shard->rows_per_entry;
    }
    return rows;
}

size_t saei_dump_block_floats(const sae_dump *dump)
{
    size_t floats = 0;
    for (size_t i = 0; i < dump->n_shards; i++) {
        const saei_shard *shard = &dump->shards[i];
        size_t rows = (size_t)(shard->block_rows < shard->rows ? shard->block_rows : shard->rows);
        if (shard->reader != NULL && saei_mul(rows, shard->d) > floats)
            floats = saei_mul(rows, shard->d);
    }
    return floats;
}

uint64_t saei_dump_packed_bytes(const sae_dump *dump)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < dump->n_shards; i++)
        if (dump->shards[i].array->packed_bytes > bytes)
            bytes = dump->shards[i].array->packed_bytes;
    return bytes;
}

uint64_t saei_dump_file_bytes(const sae_dump *dump)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < dump->n_shards; i++) {
        const saei_shard *shard = &dump->shards[i];
        if (shard->sides != NULL)
            bytes += saei_sides_file_bytes(shard->sides);
        else if (shard->reader != NULL)
            bytes += saei_reader_bytes(shard->reader);
    }
    return bytes;
}

const saei_shard *saei_dump_shard_of(const sae_dump *dump, uint64_t row)
{
    assert(row < dump->selection.total);
    size_t low = 0, high = dump->n_shards;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (dump->shards[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return &dump->shards[low];
}

sae_status saei_dump_read_raw(float *out, bool *finite, const sae_dump *dump, uint64_t first, size_t count,
                              const saei_lone_reader *alone, sae_error *err)
{
    const saei_selection *selection = &dump->selection;
    if (count == 0)
        return SAE_OK;
    sae_status status = SAE_OK;
    uint64_t row = saei_selection_at(selection, first), left = count;
    while (status == SAE_OK) {
        const saei_shard *shard = saei_dump_shard_of(dump, row);
        uint64_t in_shard = row - shard->first, room = shard->rows - in_shard;
        uint64_t run = saei_selection_run(selection, row, left < room ? left : room);
        status = saei_shard_read(out, finite, shard, dump->cache, in_shard, run, alone, err);
        out += (size_t)run * dump->d;
        left -= run;
        if (left == 0)
            break;
        row = saei_selection_next(selection, row + run);
    }
    return status;
}

sae_status saei_dump_read_by(float *out, const sae_dump *dump, uint64_t first, size_t count,
                             const saei_lone_reader *alone, sae_error *err)
{
    uint64_t rows = sae_dump_rows(dump);
    if (first > rows || count > rows - first)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "%s: rows %" PRIu64 " to %" PRIu64
                         " were asked for, but the selection holds %" PRIu64,
                         dump->name, first, first + count, rows);
    bool finite = true;
    sae_status status = saei_dump_read_raw(out, &finite, dump, first, count, alone, err);
    return status == SAE_OK && !finite ? saei_dump_fail_nonfinite(dump, err) : status;
}

sae_status sae_dump_read(float *out, const sae_dump *dump, uint64_t first, size_t count, sae_error *err)
{
    return saei_dump_read_by(out, dump, first, count, NULL, err);
}

sae_status saei_dump_require_column(const sae_dump *dump, const char *name, sae_error *err)
{
    if (sae_dump_has_column(dump, name))
        return SAE_OK;
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sae_dump_columns(dump) && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                                 sae_dump_column_name(dump, i));
    if (used >= sizeof list)
        memcpy(list + sizeof list - 4, "…", sizeof "…");
    if (used == 0)
        return saei_fail(err, SAE_E_NOT_FOUND, "%s: no column '%s': the dump has no columns", dump->name,
                         name);
    return saei_fail(err, SAE_E_NOT_FOUND, "%s: no column '%s'; there are %s", dump->name, name, list);
}

uint64_t saei_column_piece(const saei_shard *shard, uint64_t first)
{
    uint64_t entries = SAEI_COLUMN_PIECE / shard->rows_per_entry;
    uint64_t rows = (entries > 0 ? entries : 1) * shard->rows_per_entry, left = shard->rows - first;
    return rows < left ? rows : left;
}

size_t saei_dump_piece_rows(const sae_dump *dump)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < dump->n_shards; i++) {
        uint64_t piece = saei_column_piece(&dump->shards[i], 0);
        rows = piece > rows ? piece : rows;
    }
    return (size_t)rows;
}

void saei_dump_rest(const sae_dump *dump)
{
    saei_block_cache_rest(dump->cache);
    for (size_t i = 0; i < dump->n_shards; i++)
        if (dump->shards[i].reader != NULL)
            saei_reader_release(dump->shards[i].reader);
}
