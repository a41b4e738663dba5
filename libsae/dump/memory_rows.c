/* Dumps over rows in memory. */
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "dump/handle.h"

#include <string.h>

static sae_status check_view(sae_view rows, sae_error *err)
{
    if (rows.data == NULL || rows.rows == 0 || rows.cols == 0)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "rows in memory: %zu rows of width %zu%s: at least 1 x 1 is needed", rows.rows,
                         rows.cols, rows.data == NULL ? " at NULL" : "");
    if (rows.stride < rows.cols)
        return saei_fail(err, SAE_E_ARGUMENT, "rows in memory: stride %zu is less than the width %zu",
                         rows.stride, rows.cols);
    if (saei_mul(saei_mul(rows.rows, rows.stride), sizeof *rows.data) == SIZE_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "rows in memory: %zu rows of stride %zu are beyond any memory",
                         rows.rows, rows.stride);
    return SAE_OK;
}

sae_status sae_dump_from_rows(sae_dump **out, sae_context *context, sae_view rows, sae_error *err)
{
    *out = NULL;
    sae_dump *dump = NULL;
    sae_status status = check_view(rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&dump, context, 1, sizeof *dump, err);
    if (status != SAE_OK)
        return status;
    dump->context = context;
    dump->d = rows.cols;
    dump->selection = saei_selection_all(rows.rows);
    status = saei_strdup(&dump->name, context, "rows in memory", err);
    if (status == SAE_OK)
        status = saei_block_cache_new(&dump->cache, context, 0, 0, err);
    if (status == SAE_OK)
        status = saei_alloc(&dump->shards, context, 1, sizeof *dump->shards, err);
    if (status != SAE_OK) {
        sae_dump_free(dump);
        return status;
    }
    dump->n_shards = 1;
    dump->shards[0] = (saei_shard){.name = dump->name,
                                   .view = rows,
                                   .d = rows.cols,
                                   .rows = rows.rows,
                                   .rows_per_entry = 1,
                                   .block_rows = 1,
                                   .any_run = true};
    *out = dump;
    return SAE_OK;
}

sae_status sae_dump_add_column(sae_dump *dump, const char *name, const double *values, sae_error *err)
{
    saei_shard *shard = &dump->shards[0];
    if (shard->view.data == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: columns can only be added to rows in memory", dump->name);
    if (name[0] == '\0')
        return saei_fail(err, SAE_E_ARGUMENT, "%s: a column needs a name", dump->name);
    if (sae_dump_has_column(dump, name))
        return saei_fail(err, SAE_E_EXISTS, "%s: there is a column '%s' already", dump->name, name);
    saei_column column = {.source = SAEI_COLUMN_MEMORY};
    sae_status status = saei_strdup(&column.name, dump->context, name, err);
    if (status == SAE_OK)
        status = saei_alloc(&column.values, dump->context, (size_t)shard->rows, sizeof *values, err);
    if (status == SAE_OK)
        status = saei_grow(&shard->columns, dump->context, shard->n_columns, shard->n_columns + 1,
                           sizeof *shard->columns, err);
    if (status != SAE_OK) {
        saei_free(dump->context, column.name);
        saei_free(dump->context, column.values);
        return status;
    }
    memcpy(column.values, values, (size_t)shard->rows * sizeof *values);
    shard->columns[shard->n_columns++] = column;
    return SAE_OK;
}

const float *saei_dump_in_place(const sae_dump *dump)
{
    const saei_shard *shard = &dump->shards[0];
    bool whole = dump->n_shards == 1 && shard->view.data != NULL && sae_dump_rows(dump) == shard->rows;
    return whole && shard->view.stride == dump->d ? shard->view.data : NULL;
}
