/* Opening one file of a dump. */
#ifndef SAEI_SHARD_OPEN_H
#define SAEI_SHARD_OPEN_H

#include "dump/shard.h"

/* Fills *out: reader, array, sizes, how to read it, and the columns, sorted by name. first and first_sequence
   are left to the caller. On failure *out is closed. */
sae_status saei_shard_open(saei_shard *out, sae_context *context, const char *path, const char *dataset,
                           sae_error *err);

/* columns.c: finds the columns of a shard whose array is known: arrays of the file, "sequence" and "position"
   of a 3-D array, files beside a .npy. */
sae_status saei_shard_find_columns(saei_shard *shard, sae_context *context, sae_error *err);

/* Adds a column with a copy of the name; column.path becomes the shard's, or is freed on failure. To be
   followed by sorting. */
sae_status saei_shard_add_column(saei_shard *shard, sae_context *context, const char *name,
                                 saei_column column, sae_error *err);
void saei_shard_sort_columns(saei_shard *shard);

#endif
