#include "apply/groups.h"
#include "base/error.h"
#include "base/memory.h"
#include "num/order.h"

#include <math.h>
#include <stdio.h>

/* The distinct values, ascending. Rows of a group mostly follow each other, so only the starts of runs are
   sorted. Two passes: count, then fill. */
static sae_status distinct_values(saei_groups *groups, const double *values, size_t rows, sae_error *err)
{
    size_t runs = 0;
    for (size_t i = 0; i < rows; i++)
        runs += i == 0 || values[i] != values[i - 1];
    sae_status status = saei_alloc(&groups->id, groups->context, runs, sizeof *groups->id, err);
    if (status != SAE_OK)
        return status;
    size_t n = 0;
    for (size_t i = 0; i < rows; i++)
        if (i == 0 || values[i] != values[i - 1])
            groups->id[n++] = values[i];
    saei_sort_doubles(groups->id, n);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || groups->id[i] != groups->id[groups->n - 1])
            groups->id[groups->n++] = groups->id[i];
    return SAE_OK;
}

static uint32_t find(const saei_groups *groups, double value)
{
    size_t low = 0, high = groups->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (groups->id[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

static sae_status fill(saei_groups *groups, const double *values, size_t rows, const char *name,
                       sae_error *err)
{
    for (size_t i = 0; i < rows; i++)
        if (isnan(values[i]))
            return saei_fail(err, SAE_E_NONFINITE, "%s: the grouping column is NaN at row %zu", name, i);
    sae_status status = distinct_values(groups, values, rows, err);
    if (status != SAE_OK)
        return status;
    if (groups->n > UINT32_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: more than 2^32 groups", name);
    status = saei_alloc(&groups->rows, groups->context, groups->n, sizeof *groups->rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&groups->of_row, groups->context, rows, sizeof *groups->of_row, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < rows; i++) {
        bool same = i > 0 && values[i] == values[i - 1];
        groups->of_row[i] = same ? groups->of_row[i - 1] : find(groups, values[i]);
        groups->rows[groups->of_row[i]]++;
    }
    return SAE_OK;
}

sae_status saei_groups_new(saei_groups **out, sae_context *context, const double *values, size_t rows,
                           const char *name, sae_error *err)
{
    *out = NULL;
    saei_groups *groups;
    sae_status status = saei_alloc(&groups, context, 1, sizeof *groups, err);
    if (status != SAE_OK)
        return status;
    groups->context = context;
    status = fill(groups, values, rows, name, err);
    if (status != SAE_OK) {
        saei_groups_free(groups);
        return status;
    }
    *out = groups;
    return SAE_OK;
}

sae_status saei_groups_no_column(const sae_dump *dump, const char *wanted, sae_error *err)
{
    char list[256] = "none";
    size_t used = 0;
    for (size_t i = 0; i < sae_dump_columns(dump) && used < sizeof list - 1; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                         sae_dump_column_name(dump, i));
        used += n > 0 ? (size_t)n : 0;
    }
    return saei_fail(err, SAE_E_NOT_FOUND,
                     "%s: no column %s to group rows by; pass --group COLUMN (columns: %s)",
                     sae_dump_name(dump), wanted, list);
}

sae_status saei_groups_read(saei_groups **out, sae_context *context, const sae_dump *dump, const char *column,
                            sae_error *err)
{
    *out = NULL;
    if (!sae_dump_has_column(dump, column))
        return saei_groups_no_column(dump, column, err);
    double *values;
    size_t rows = (size_t)sae_dump_rows(dump);
    sae_status status = saei_alloc(&values, context, rows, sizeof *values, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(values, dump, column, err);
    if (status == SAE_OK)
        status = saei_groups_new(out, context, values, rows, sae_dump_name(dump), err);
    saei_free(context, values);
    return status;
}

void saei_groups_weigh(double *weight, const saei_groups *groups, const double *row_weight)
{
    size_t rows = 0;
    for (size_t g = 0; g < groups->n; g++) {
        weight[g] = row_weight == NULL ? (double)groups->rows[g] : 0;
        rows += (size_t)groups->rows[g];
    }
    for (size_t row = 0; row_weight != NULL && row < rows; row++)
        weight[groups->of_row[row]] += row_weight[row];
}

void saei_groups_free(saei_groups *groups)
{
    if (groups == NULL)
        return;
    saei_free(groups->context, groups->of_row);
    saei_free(groups->context, groups->rows);
    saei_free(groups->context, groups->id);
    saei_free(groups->context, groups);
}
