/* Columns in the files we write: token ids and labels were integers in the dump, and stay integers. */
#ifndef SAEI_WRITE_COLUMN_H
#define SAEI_WRITE_COLUMN_H

#include "io/array_sink.h"
#include "sae/dump.h"

/* Whether all values are whole numbers of 0 .. 2^53 - 1, to be written as SAEI_U64, else as SAEI_F64. */
bool saei_are_counts(const double *values, size_t n);

static inline saei_dtype saei_column_dtype(bool counts)
{
    return counts ? SAEI_U64 : SAEI_F64;
}

/* The same of a column of the selected rows. */
sae_status saei_column_is_counts(bool *out, const sae_dump *dump, const char *name, sae_error *err);

/* Appends the values to an array of saei_column_dtype(counts). The values are used up. */
sae_status saei_append_column(saei_array_sink *sink, size_t array, double *values, size_t n, bool counts,
                              sae_error *err);

/* The same with a whole column of the selected rows, piece by piece. */
sae_status saei_write_column(saei_array_sink *sink, size_t array, const sae_dump *dump, const char *name,
                             bool counts, sae_error *err);

#endif
