/* Columns and conditions over the selected rows. */
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "dump/handle.h"

#include <string.h>

/* Moves the selected ones of rows first .. first + count - 1 of the shard to the front; returns how many. */
static size_t gather(double *values, const sae_dump *dump, const saei_shard *shard, uint64_t first,
                     uint64_t count)
{
    const saei_selection *selection = &dump->selection;
    uint64_t start = shard->first + first, end = start + count;
    size_t n = 0;
    for (uint64_t row = saei_selection_next(selection, start); row < end;
         row = saei_selection_next(selection, row + 1))
        values[n++] = values[row - start];
    return n;
}

static sae_status each_of_shard(double *piece, const sae_dump *dump, const saei_shard *shard,
                                const char *name, saei_column_fn each, void *user, sae_error *err)
{
    saei_column_reader reader;
    sae_status status = saei_column_open(&reader, dump->context, shard, name, err);
    if (status != SAE_OK)
        return status;
    for (uint64_t first = 0; first < shard->rows && status == SAE_OK;) {
        uint64_t count = saei_column_piece(shard, first);
        status = saei_column_read(piece, &reader, first, count, err);
        if (status == SAE_OK)
            status = each(user, piece, gather(piece, dump, shard, first, count), err);
        first += count;
    }
    saei_column_close(&reader);
    return status;
}

sae_status saei_dump_each_of_column(const sae_dump *dump, const char *name, saei_column_fn each, void *user,
                                    sae_error *err)
{
    sae_status status = saei_dump_require_column(dump, name, err);
    if (status != SAE_OK)
        return status;
    double *piece = NULL;
    status = saei_alloc(&piece, dump->context, saei_dump_piece_rows(dump), sizeof *piece, err);
    for (size_t i = 0; i < dump->n_shards && status == SAE_OK; i++)
        status = each_of_shard(piece, dump, &dump->shards[i], name, each, user, err);
    saei_free(dump->context, piece);
    return status;
}

/* Reads whole entries of the shard from the one that holds `row` on, as many as may hold `count` selected
   rows, and keeps these. *taken: how many it found, at least 1. */
static sae_status read_from_row(double *out, size_t *taken, double *piece, const sae_dump *dump,
                                const char *name, uint64_t row, size_t count, sae_error *err)
{
    const saei_shard *shard = saei_dump_shard_of(dump, row);
    uint64_t in_shard = row - shard->first, per_entry = shard->rows_per_entry;
    uint64_t start = in_shard - in_shard % per_entry, room = saei_column_piece(shard, start);
    uint64_t wanted = (in_shard - start + count + per_entry - 1) / per_entry * per_entry;
    uint64_t n = wanted < room ? wanted : room;
    saei_column_reader reader;
    sae_status status = saei_column_open(&reader, dump->context, shard, name, err);
    if (status != SAE_OK)
        return status;
    status = saei_column_read(piece, &reader, start, n, err);
    saei_column_close(&reader);
    *taken = 0;
    for (uint64_t end = shard->first + start + n; status == SAE_OK && row < end && *taken < count;
         row = saei_selection_next(&dump->selection, row + 1))
        out[(*taken)++] = piece[row - shard->first - start];
    return status;
}

sae_status saei_dump_read_column_part(double *out, const sae_dump *dump, const char *name, uint64_t first,
                                      size_t count, sae_error *err)
{
    double *piece = NULL;
    sae_status status = saei_alloc(&piece, dump->context, saei_dump_piece_rows(dump), sizeof *piece, err);
    while (status == SAE_OK && count > 0) {
        size_t taken;
        status = read_from_row(out, &taken, piece, dump, name, saei_selection_at(&dump->selection, first),
                               count, err);
        if (status == SAE_OK) {
            out += taken;
            first += taken;
            count -= taken;
        }
    }
    saei_free(dump->context, piece);
    return status;
}

static sae_status append(void *user, double *values, size_t n, sae_error *err)
{
    double **out = user;
    (void)err;
    memcpy(*out, values, n * sizeof *values);
    *out += n;
    return SAE_OK;
}

sae_status sae_dump_read_column(double *out, const sae_dump *dump, const char *name, sae_error *err)
{
    return saei_dump_each_of_column(dump, name, append, &out, err);
}
