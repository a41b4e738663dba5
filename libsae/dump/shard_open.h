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

#endif
