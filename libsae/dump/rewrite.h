/* A dump written again with some of its rows changed. */
#ifndef SAEI_REWRITE_H
#define SAEI_REWRITE_H

#include "sae/dump.h"

/* Changes rows [n, d] in place: some of those to be changed, in file order. */
typedef sae_status (*saei_change_fn)(void *user, float *rows, size_t n, sae_error *err);

typedef struct saei_attribute {
    const char *name, *value;
} saei_attribute;

typedef struct saei_rewrite {
    const char *where;     /* the rows to be changed, NULL: all; grammar of sae_dump_options */
    saei_change_fn change; /* NULL: no row is changed, and `where` is not looked at */
    void *user;
    const saei_attribute
        *attributes; /* [n_attributes] added to those of the first file, which they replace */
    size_t n_attributes;
    bool overwrite;
    sae_progress_fn progress;
    void *progress_user;
} saei_rewrite;

/* Writes the selected rows with their columns to path, or the rows alone to .npy (dump_output.h), in one pass
   and in the type in which they are stored (that of saei_stored_rows_dtype). Rows that are not changed keep
   every bit, NaN included; changed ones are float32 that is rounded to that type, to the nearest, ties to
   even. *changed: how many were. The file is whole or absent. Memory for a few megabytes of rows and one bit
   a row. SAE_E_ARGUMENT: no row meets `where`, another suffix; SAE_E_NONFINITE: a row to be changed holds NaN
   or Inf, or a changed one is beyond the range of the type; those of reading and writing; SAE_STOPPED. */
sae_status saei_dump_rewrite(uint64_t *changed, const sae_dump *dump, const char *path,
                             const saei_rewrite *how, sae_error *err);

#endif
