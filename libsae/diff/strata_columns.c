#include "diff/strata_columns.h"
#include "apply/groups.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/position_bins.h"
#include "diff/strata.h"

#include <math.h>
#include <string.h>

/* Positions in powers of two: 0, 1, 2 .. 3, …, from 2^14 on. */
enum { VALUES_MAX = 64, LAST_OCTAVE = 14, POSITION_BINS = LAST_OCTAVE + 2 };
static const char position[] = "position", region[] = "is_continuation";

/* Appends a stratum of the last column; its index, which is SAEI_STRATA_MAX when there is no room. */
static size_t append(saei_strata_columns *to, double low, double high)
{
    if (to->n_strata == SAEI_STRATA_MAX)
        return SAEI_STRATA_MAX;
    to->stratum[to->n_strata] = (sae_stratum){.column = to->name[to->n - 1], .low = low, .high = high};
    return to->n_strata++;
}

static sae_status too_many(const sae_dump *dump, const char *name, sae_error *err)
{
    return saei_fail(err, SAE_E_UNSUPPORTED,
                     "%s: column %s has more than %d values, or all columns together more than %d: name "
                     "columns that make fewer strata",
                     sae_dump_name(dump), name, VALUES_MAX, SAEI_STRATA_MAX);
}

static void assign(saei_strata_columns *to, size_t row, size_t stratum, size_t n_columns)
{
    to->of_row[row * n_columns + to->n - 1] = (uint8_t)stratum;
}

static sae_status by_position(saei_strata_columns *to, const double *value, const sae_dump *dump,
                              size_t n_columns, sae_error *err)
{
    bool seen[POSITION_BINS] = {false};
    size_t stratum[POSITION_BINS];
    for (size_t i = 0; i < to->rows; i++)
        seen[saei_position_bin(value[i], 1, LAST_OCTAVE)] = true;
    for (size_t b = 0; b < POSITION_BINS; b++) {
        double low = b == 0 ? 0 : ldexp(1, (int)b - 1);
        double high = b + 1 == POSITION_BINS ? (double)INFINITY : b == 0 ? 0 : 2 * low - 1;
        stratum[b] = seen[b] ? append(to, low, high) : 0;
        if (stratum[b] == SAEI_STRATA_MAX)
            return too_many(dump, position, err);
    }
    for (size_t i = 0; i < to->rows; i++)
        assign(to, i, stratum[saei_position_bin(value[i], 1, LAST_OCTAVE)], n_columns);
    return SAE_OK;
}

static sae_status by_value(saei_strata_columns *to, sae_context *context, const double *value,
                           const sae_dump *dump, size_t n_columns, sae_error *err)
{
    const char *name = to->name[to->n - 1];
    saei_groups *groups;
    sae_status status = saei_groups_new(&groups, context, value, to->rows, sae_dump_name(dump), err);
    if (status != SAE_OK)
        return status;
    size_t first = to->n_strata;
    bool room = groups->n <= VALUES_MAX;
    for (size_t g = 0; room && g < groups->n; g++)
        room = append(to, groups->id[g], groups->id[g]) < SAEI_STRATA_MAX;
    for (size_t i = 0; room && i < to->rows; i++)
        assign(to, i, first + groups->of_row[i], n_columns);
    saei_groups_free(groups);
    return room ? SAE_OK : too_many(dump, name, err);
}

static sae_status read_values(double *value, const sae_dump *dump, const char *name, sae_error *err)
{
    sae_status status = sae_dump_read_column(value, dump, name, err);
    for (size_t i = 0; status == SAE_OK && i < sae_dump_rows(dump); i++)
        if (isnan(value[i]))
            status = saei_fail(err, SAE_E_NONFINITE, "%s: column %s is NaN at row %zu; select other rows",
                               sae_dump_name(dump), name, i);
    return status;
}

static sae_status add_column(saei_strata_columns *to, sae_context *context, double *value,
                             const sae_dump *dump, const char *name, size_t n_columns, sae_error *err)
{
    sae_status status = saei_strdup(&to->name[to->n], context, name, err);
    if (status != SAE_OK)
        return status;
    to->n++;
    status = read_values(value, dump, name, err);
    if (status != SAE_OK)
        return status;
    return strcmp(name, position) == 0 ? by_position(to, value, dump, n_columns, err)
                                       : by_value(to, context, value, dump, n_columns, err);
}

static sae_status alloc_columns(saei_strata_columns *to, double **value, sae_context *context,
                                const sae_dump *dump, size_t n_columns, sae_error *err)
{
    to->rows = (size_t)sae_dump_rows(dump);
    sae_status status = saei_alloc(value, context, to->rows, sizeof **value, err);
    if (status == SAE_OK)
        status = saei_alloc(&to->name, context, n_columns, sizeof *to->name, err);
    if (status == SAE_OK)
        status = saei_alloc(&to->stratum, context, SAEI_STRATA_MAX, sizeof *to->stratum, err);
    if (status == SAE_OK)
        status = saei_alloc(&to->of_row, context, saei_mul(to->rows, n_columns), sizeof *to->of_row, err);
    return status;
}

sae_status saei_strata_columns_read(saei_strata_columns *out, sae_context *context, const sae_dump *dump,
                                    const char *const *named, size_t n_named, sae_error *err)
{
    *out = (saei_strata_columns){0};
    const char *usual[2];
    size_t n_usual = 0;
    if (sae_dump_has_column(dump, region))
        usual[n_usual++] = region;
    if (sae_dump_has_column(dump, position))
        usual[n_usual++] = position;
    size_t n_columns = saei_add(n_usual, n_named);
    double *value = NULL;
    sae_status status = alloc_columns(out, &value, context, dump, n_columns, err);
    for (size_t c = 0; status == SAE_OK && c < n_columns; c++)
        status = add_column(out, context, value, dump, c < n_usual ? usual[c] : named[c - n_usual], n_columns,
                            err);
    saei_free(context, value);
    return status;
}

void saei_strata_columns_release(saei_strata_columns *columns, sae_context *context)
{
    for (size_t c = 0; c < columns->n; c++)
        saei_free(context, columns->name[c]);
    saei_free(context, columns->of_row);
    saei_free(context, columns->stratum);
    saei_free(context, columns->name);
}
