/* The inside of sae_dump; only dump/ looks at it. */
#ifndef SAEI_HANDLE_H
#define SAEI_HANDLE_H

#include "dump/selection.h"
#include "dump/shard.h"
#include "sae/dump.h"

enum { SAEI_COLUMN_PIECE = 65536 }; /* rows of a column that are read and matched together */

struct sae_dump {
    sae_context *context;
    char *name;
    size_t d;
    saei_shard *shards;
    size_t n_shards;
    saei_ranges *ranges; /* of folders that have sequences */
    size_t n_ranges;
    saei_selection selection;
    uint64_t dropped;
    saei_block_cache *cache;
};

/* The shard that holds a row of the files; row < total. */
const saei_shard *saei_dump_shard_of(const sae_dump *dump, uint64_t row);

/* As saei_dump_read_by, but NaN and Inf are no failure: they make *finite false. first + count <= rows. */
sae_status saei_dump_read_raw(float *out, bool *finite, const sae_dump *dump, uint64_t first, size_t count,
                              const saei_lone_reader *alone, sae_error *err);

/* SAE_E_NOT_FOUND, listing the columns there are. */
sae_status saei_dump_require_column(const sae_dump *dump, const char *name, sae_error *err);

/* Entries of selected rows first .. first + count - 1 of a column that is there. */
sae_status saei_dump_read_column_part(double *out, const sae_dump *dump, const char *name, uint64_t first,
                                      size_t count, sae_error *err);

/* The rows of the next piece of a column that starts at `first` of the shard: whole entries of a 3-D array.
 */
uint64_t saei_column_piece(const saei_shard *shard, uint64_t first);
/* The rows of the longest piece of any shard. */
size_t saei_dump_piece_rows(const sae_dump *dump);

/* Called with piece after piece of the rows of all shards, selected or not, in order: whether the condition
   holds for rows first .. first + count - 1 of the files. */
typedef void (*saei_match_fn)(void *arg, const unsigned char *holds, uint64_t first, uint64_t count);
sae_status saei_dump_match_all(const sae_dump *dump, const char *condition, saei_match_fn each, void *arg,
                               sae_error *err);

/* For the block cache: the largest block of any shard, in floats, and its largest packed chunk; 0 for rows in
   memory. */
size_t saei_dump_block_floats(const sae_dump *dump);
uint64_t saei_dump_packed_bytes(const sae_dump *dump);

/* Counts the selected rows that hold NaN or Inf and fails with SAE_E_NONFINITE. */
sae_status saei_dump_fail_nonfinite(const sae_dump *dump, sae_error *err);
/* Leaves such rows out of the selection and counts them in dropped. */
sae_status saei_dump_drop_nonfinite(sae_dump *dump, sae_error *err);

#endif
