/* The file that a changed dump is written to: the rows with their columns, or in a .npy the rows alone. */
#ifndef SAEI_DUMP_OUTPUT_H
#define SAEI_DUMP_OUTPUT_H

#include "io/dtype.h"
#include "sae/dump.h"

typedef struct saei_dump_output saei_dump_output;

/* The suffix of path says the format (saei_container_of). Creates a temporary beside path. */
sae_status saei_dump_output_open(saei_dump_output **out, const sae_dump *dump, const char *path,
                                 saei_dtype dtype, bool overwrite, sae_error *err);
void saei_dump_output_discard(saei_dump_output *output);

bool saei_dump_output_has_columns(const saei_dump_output *output);
const char *saei_dump_output_temporary(const saei_dump_output *output); /* for a name beside it */

/* A text attribute of the file, before the first rows; nothing for .npy. */
sae_status saei_dump_output_attribute(saei_dump_output *output, const char *name, const char *value,
                                      sae_error *err);
/* Before the first rows. counts [columns of the dump]: as of saei_are_counts, over all rows; not looked at
   without columns. */
sae_status saei_dump_output_begin(saei_dump_output *output, const bool *counts, sae_error *err);
/* rows [n, d], of the dtype. */
sae_status saei_dump_output_rows(saei_dump_output *output, const void *rows, size_t n, sae_error *err);
/* n values of a column; used up. */
sae_status saei_dump_output_column(saei_dump_output *output, size_t column, double *values, size_t n,
                                   sae_error *err);

/* Puts the file in place. Frees *output, set to NULL, in every case. */
sae_status saei_dump_output_finish(saei_dump_output **output, sae_error *err);

#endif
