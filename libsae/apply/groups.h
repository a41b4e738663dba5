/* Rows of a dump that belong together: those of one prompt or document. */
#ifndef SAEI_GROUPS_H
#define SAEI_GROUPS_H

#include "sae/dump.h"

typedef struct saei_groups {
    sae_context *context;
    size_t n;
    double *id;       /* [n] values of the column, distinct, ascending */
    uint64_t *rows;   /* [n] rows of each group */
    uint32_t *of_row; /* index of the group of each row */
} saei_groups;

/* Groups the rows by equal values. SAE_E_NONFINITE: a value is NaN (name is of the dump, for the text). */
sae_status saei_groups_new(saei_groups **out, sae_context *context, const double *values, size_t rows,
                           const char *name, sae_error *err);
/* The same from a column of the dump. SAE_E_NOT_FOUND lists the columns there are. */
sae_status saei_groups_read(saei_groups **out, sae_context *context, const sae_dump *dump, const char *column,
                            sae_error *err);
void saei_groups_free(saei_groups *groups);

/* weight [n]: the sum of row_weight [rows] over the rows of each group; their number where row_weight is
 * NULL.
 */
void saei_groups_weigh(double *weight, const saei_groups *groups, const double *row_weight);

/* Fails with SAE_E_NOT_FOUND: the dump has no such grouping column; lists its columns and names --group. */
sae_status saei_groups_no_column(const sae_dump *dump, const char *wanted, sae_error *err);

#endif
