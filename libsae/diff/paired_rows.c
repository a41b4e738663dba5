#include "diff/paired_rows.h"
#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>

static sae_status compare_column(const sae_dump *a, const sae_dump *b, const char *column,
                                 sae_context *context, sae_error *err)
{
    size_t rows = (size_t)sae_dump_rows(a), i = 0;
    double *values;
    sae_status status = saei_alloc(&values, context, saei_mul(2, rows), sizeof *values, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(values, a, column, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(values + rows, b, column, err);
    while (status == SAE_OK && i < rows && values[i] == values[rows + i])
        i++;
    if (status == SAE_OK && i < rows)
        status = saei_fail(err, SAE_E_MISMATCH,
                           "%s and %s cannot be paired row by row: %s of row %zu is %.15g in the one and "
                           "%.15g in the other; dump the same tokens of the same texts in the same order",
                           sae_dump_name(a), sae_dump_name(b), column, i, values[i], values[rows + i]);
    saei_free(context, values);
    return status;
}

sae_status saei_paired_rows_check(const sae_dump *a, const sae_dump *b, const char *group,
                                  sae_context *context, sae_error *err)
{
    if (sae_dump_rows(a) != sae_dump_rows(b) || sae_dump_dim(a) != sae_dump_dim(b))
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s and %s cannot be paired row by row: %" PRIu64 " rows of %zu numbers and %" PRIu64
                         " rows of %zu; dump the same tokens of the same texts in the same order",
                         sae_dump_name(a), sae_dump_name(b), sae_dump_rows(a), sae_dump_dim(a),
                         sae_dump_rows(b), sae_dump_dim(b));
    const char *const columns[] = {group, "position", "token_ids"};
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < sizeof columns / sizeof *columns; i++)
        if (columns[i] != NULL && sae_dump_has_column(a, columns[i]) && sae_dump_has_column(b, columns[i]))
            status = compare_column(a, b, columns[i], context, err);
    return status;
}

sae_status saei_paired_rows_read(saei_paired_rows *paired, const saei_block *block, sae_error *err)
{
    if (block->x.rows > paired->capacity) {
        saei_free(paired->context, paired->rows);
        paired->capacity = 0;
        sae_status status = saei_alloc(&paired->rows, paired->context, saei_mul(block->x.rows, block->x.cols),
                                       sizeof *paired->rows, err);
        if (status != SAE_OK)
            return status;
        paired->capacity = block->x.rows;
    }
    return sae_dump_read(paired->rows, paired->dump, block->first, block->x.rows, err);
}

void saei_paired_rows_release(saei_paired_rows *paired)
{
    saei_free(paired->context, paired->rows);
    paired->rows = NULL;
}
