/* Which rows of the files a dump keeps: one bit a row with counts beside it, so that the i-th kept row is
   found without walking. 100 million rows take 14 MB; a dump that keeps all rows takes none. */
#ifndef SAEI_SELECTION_H
#define SAEI_SELECTION_H

#include "sae/base.h"

typedef struct saei_selection {
    uint64_t total;   /* rows in the files */
    uint64_t count;   /* rows kept; valid after saei_selection_count */
    uint64_t *bits;   /* NULL: every row is kept */
    uint64_t *before; /* kept rows before each block of 512 rows */
} saei_selection;

/* A selection that keeps all rows. */
saei_selection saei_selection_all(uint64_t total);

/* Gives *selection its bitmap, with every bit as `kept`. Does nothing when it has one. */
sae_status saei_selection_allocate(saei_selection *selection, sae_context *context, bool kept,
                                   sae_error *err);
void saei_selection_free(saei_selection *selection, sae_context *context);

void saei_selection_set(saei_selection *selection, uint64_t row, bool kept);

/* Takes the rows of `other` out; both have bitmaps over the same rows. */
void saei_selection_subtract(saei_selection *selection, const saei_selection *other);

/* To be called after the last change: brings count and before up to date. */
void saei_selection_count(saei_selection *selection);

/* The row in the files of kept row i < count. */
uint64_t saei_selection_at(const saei_selection *selection, uint64_t i);
/* The first kept row >= row; total when there is none. */
uint64_t saei_selection_next(const saei_selection *selection, uint64_t row);
/* How many rows from `row` on are kept without a gap, at most `limit`; row + limit <= total. */
uint64_t saei_selection_run(const saei_selection *selection, uint64_t row, uint64_t limit);

#endif
