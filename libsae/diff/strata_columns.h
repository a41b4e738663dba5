/* The strata that the columns of a dump make of its rows. */
#ifndef SAEI_STRATA_COLUMNS_H
#define SAEI_STRATA_COLUMNS_H

#include "sae/diff.h"

typedef struct saei_strata_columns {
    size_t n, n_strata, rows;
    char **name;          /* [n] owned */
    sae_stratum *stratum; /* [n_strata] those of a column beside each other; rows and prompts still 0 */
    uint8_t *of_row;      /* [rows, n] stratum of the row by each column */
} saei_strata_columns;

/* Columns and errors as saei_strata_new has them. Release in every case. */
sae_status saei_strata_columns_read(saei_strata_columns *out, sae_context *context, const sae_dump *dump,
                                    const char *const *named, size_t n_named, sae_error *err);
void saei_strata_columns_release(saei_strata_columns *columns, sae_context *context);

#endif
