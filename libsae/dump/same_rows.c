#include "dump/same_rows.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"

#include <inttypes.h>
#include <math.h>

static sae_status compare_piece(const double *a, const double *b, size_t n, uint64_t first,
                                const char *column, const sae_dump *before, const sae_dump *after,
                                sae_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(a[i] == b[i]) && !(isnan(a[i]) && isnan(b[i])))
            return saei_fail(err, SAE_E_MISMATCH,
                             "%s: row %" PRIu64
                             " has %s %.15g, but %.15g in %s: the rows are not those of the same "
                             "tokens; dump both models on the same texts, or select rows that pair",
                             after->name, first + i, column, b[i], a[i], before->name);
    return SAE_OK;
}

static sae_status compare_column(const char *name, double *values, const sae_dump *before,
                                 const sae_dump *after, sae_error *err)
{
    sae_status status = SAE_OK;
    uint64_t rows = sae_dump_rows(before);
    for (uint64_t first = 0; first < rows && status == SAE_OK; first += SAEI_COLUMN_PIECE) {
        uint64_t left = rows - first;
        size_t n = (size_t)(left < SAEI_COLUMN_PIECE ? left : SAEI_COLUMN_PIECE);
        double *other = values + SAEI_COLUMN_PIECE;
        status = saei_dump_read_column_part(values, before, name, first, n, err);
        if (status == SAE_OK)
            status = saei_dump_read_column_part(other, after, name, first, n, err);
        if (status == SAE_OK)
            status = compare_piece(values, other, n, first, name, before, after, err);
    }
    return status;
}

/* What both say about a row must be the same. */
static sae_status compare_columns(const sae_dump *before, const sae_dump *after, const char *column,
                                  sae_error *err)
{
    const char *const names[] = {"token_ids", "position",        "prompt_id", "doc_id",
                                 "sequence",  "is_continuation", column};
    double *values;
    sae_status status = saei_alloc(&values, before->context, 2 * SAEI_COLUMN_PIECE, sizeof *values, err);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == SAE_OK; i++)
        if (names[i] != NULL && sae_dump_has_column(before, names[i]) && sae_dump_has_column(after, names[i]))
            status = compare_column(names[i], values, before, after, err);
    saei_free(before->context, values);
    return status;
}

sae_status saei_dump_same_rows(const sae_dump *before, const sae_dump *after, const char *column,
                               sae_error *err)
{
    if (before->d != after->d)
        return saei_fail(err, SAE_E_MISMATCH, "%s: rows of width %zu, but those of %s have %zu", after->name,
                         after->d, before->name, before->d);
    if (sae_dump_rows(before) != sae_dump_rows(after))
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: %" PRIu64 " rows, but %s has %" PRIu64
                         ": rows are taken together in their order, so both "
                         "must hold the same tokens",
                         after->name, sae_dump_rows(after), before->name, sae_dump_rows(before));
    if (before->dropped > 0 || after->dropped > 0)
        return saei_fail(
            err, SAE_E_MISMATCH,
            "%s: rows with NaN or Inf were dropped, and the rest no longer pairs with %s; leave such rows "
            "out of both with --where",
            before->dropped > 0 ? before->name : after->name,
            before->dropped > 0 ? after->name : before->name);
    return compare_columns(before, after, column, err);
}
