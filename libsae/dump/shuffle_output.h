/* The file that a shuffled dump is written to: a .npy of the rows, or HDF5 with the columns. */
#ifndef SAEI_SHUFFLE_OUTPUT_H
#define SAEI_SHUFFLE_OUTPUT_H

#include "io/dtype.h"
#include "sae/dump.h"

typedef struct saei_shuffle_output saei_shuffle_output;

/* The suffix of path says which: .npy, or .h5 and .hdf5. Creates a temporary beside path. */
sae_status saei_shuffle_output_open(saei_shuffle_output **out, const sae_dump *dump, const char *path,
                                    saei_dtype dtype, bool overwrite, sae_error *err);
void saei_shuffle_output_discard(saei_shuffle_output *output);

bool saei_shuffle_output_has_columns(const saei_shuffle_output *output);
const char *saei_shuffle_output_temporary(const saei_shuffle_output *output); /* for a name beside it */

/* Before the first rows. counts [columns of the dump]: as of saei_are_counts, over all rows; not looked at
   without columns. */
sae_status saei_shuffle_output_begin(saei_shuffle_output *output, const bool *counts, uint64_t seed,
                                     sae_error *err);
/* rows [n, d], of the dtype. */
sae_status saei_shuffle_output_rows(saei_shuffle_output *output, const void *rows, size_t n, sae_error *err);
/* n values of a column; used up. */
sae_status saei_shuffle_output_column(saei_shuffle_output *output, size_t column, double *values, size_t n,
                                      sae_error *err);

/* Puts the file in place. Frees *output, set to NULL, in every case. */
sae_status saei_shuffle_output_finish(saei_shuffle_output **output, sae_error *err);

#endif
