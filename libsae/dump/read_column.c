/* Columns and conditions over the selected rows. */
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"

/* Appends the selected ones of rows first .. first + count - 1 of the shard to out; returns how many. */
static uint64_t gather(double *out, const sae_dump *dump, const saei_shard *shard, const double *values,
                       uint64_t first, uint64_t count)
{
    const saei_selection *selection = &dump->selection;
    uint64_t start = shard->first + first, end = start + count, n = 0;
    for (uint64_t row = saei_selection_next(selection, start); row < end;
         row = saei_selection_next(selection, row + 1))
        out[n++] = values[row - start];
    return n;
}

static sae_status read_shard_column(double **out, double *piece, const sae_dump *dump,
                                    const saei_shard *shard, const char *name, sae_error *err)
{
    saei_column_reader reader;
    sae_status status = saei_column_open(&reader, dump->context, shard, name, err);
    if (status != SAE_OK)
        return status;
    for (uint64_t first = 0; first < shard->rows && status == SAE_OK;) {
        uint64_t count = saei_column_piece(shard, first);
        status = saei_column_read(piece, &reader, first, count, err);
        if (status == SAE_OK)
            *out += gather(*out, dump, shard, piece, first, count);
        first += count;
    }
    saei_column_close(&reader);
    return status;
}

sae_status saei_dump_column_at(double *out, const sae_dump *dump, const char *name, uint64_t row,
                               sae_error *err)
{
    uint64_t row_of_files = saei_selection_at(&dump->selection, row);
    const saei_shard *shard = saei_dump_shard_of(dump, row_of_files);
    uint64_t in_shard = row_of_files - shard->first, in_entry = in_shard % shard->rows_per_entry;
    uint64_t first = in_shard - in_entry, left = shard->rows - first;
    uint64_t count = left < shard->rows_per_entry ? left : shard->rows_per_entry;
    double *entry = NULL;
    saei_column_reader reader;
    sae_status status = saei_alloc(&entry, dump->context, (size_t)count, sizeof *entry, err);
    if (status != SAE_OK)
        return status;
    status = saei_column_open(&reader, dump->context, shard, name, err);
    if (status == SAE_OK) {
        status = saei_column_read(entry, &reader, first, count, err);
        saei_column_close(&reader);
    }
    if (status == SAE_OK)
        *out = entry[in_entry];
    saei_free(dump->context, entry);
    return status;
}

sae_status sae_dump_read_column(double *out, const sae_dump *dump, const char *name, sae_error *err)
{
    sae_status status = saei_dump_require_column(dump, name, err);
    if (status != SAE_OK)
        return status;
    double *piece = NULL;
    status = saei_alloc(&piece, dump->context, saei_dump_piece_rows(dump), sizeof *piece, err);
    for (size_t i = 0; i < dump->n_shards && status == SAE_OK; i++)
        status = read_shard_column(&out, piece, dump, &dump->shards[i], name, err);
    saei_free(dump->context, piece);
    return status;
}
