/* What the layers above need of a dump beyond the public header. */
#ifndef SAEI_DUMP_H
#define SAEI_DUMP_H

#include "io/reader.h"
#include "sae/dump.h"

/* The context that the dump was opened with. */
sae_context *saei_dump_context(const sae_dump *dump);

/* Selected rows that are cheap to read together: the chunk of the files, within 256 .. 8192; 256 when the
   rows are contiguous. */
uint64_t saei_dump_block_rows(const sae_dump *dump);

/* Bytes of the files that the rows are read from. */
uint64_t saei_dump_file_bytes(const sae_dump *dump);

/* As sae_dump_read, for a thread beside those that compute; NULL: by the pool. */
sae_status saei_dump_read_by(float *out, const sae_dump *dump, uint64_t first, size_t count,
                             const saei_lone_reader *alone, sae_error *err);

/* Called with piece after piece of the entries of a column for the selected rows, values [n], which it may
   use up; n may be 0. SAE_E_NOT_FOUND: no such column. */
typedef sae_status (*saei_column_fn)(void *user, double *values, size_t n, sae_error *err);
sae_status saei_dump_each_of_column(const sae_dump *dump, const char *name, saei_column_fn each, void *user,
                                    sae_error *err);

/* All selected rows [rows, d] where they lie in memory, one after the other; NULL when they do not. */
const float *saei_dump_in_place(const sae_dump *dump);

/* Gives back what reading takes, until the next read: for one dump of many, while the others are read. Not
   while another thread reads it. */
void saei_dump_rest(const sae_dump *dump);

/* How a dump was made of two others. */
typedef struct saei_joined {
    const char *name; /* "pair" or "difference"; NULL: it was not */
    double before_scale, after_scale;
} saei_joined;

saei_joined saei_dump_joined(const sae_dump *dump);

/* Figures of the selected rows. They depend on the values alone, not on shards, chunks or threads. */
typedef struct saei_dump_scan_result {
    double *mean;       /* [d], saei_free it with the context of the dump */
    double mean_square; /* mean of ‖x‖² */
    double variance;    /* mean of ‖x − mean‖² */
    char hash[33];      /* XXH3-128 of the rows as little-endian float32, in hexadecimal */
    double mean_norm;   /* mean ‖x‖ */
    sae_outliers outliers;
} saei_dump_scan_result;

/* One pass over the selected rows. On failure nothing needs to be freed. SAE_E_NONFINITE as sae_dump_read;
   SAE_STOPPED when progress asked for it. */
sae_status saei_dump_scan(saei_dump_scan_result *out, const sae_dump *dump, sae_progress_fn progress,
                          void *user, sae_error *err);

#endif
