/* Rows in the type that the files store, for dumps that are written again without a loss. */
#ifndef SAEI_STORED_ROWS_H
#define SAEI_STORED_ROWS_H

#include "dump/handle.h"

/* SAEI_F16, SAEI_BF16 or SAEI_F64 where all shards store it; else SAEI_F32, as rows are read. */
saei_dtype saei_stored_rows_dtype(const sae_dump *dump);

/* Rows first .. first + n - 1 of a shard into out [n, d] of that type; both are multiples of rows_per_entry
   unless they reach the end. NaN and Inf are not looked for. */
sae_status saei_stored_rows_read(void *out, const sae_dump *dump, const saei_shard *shard, saei_dtype dtype,
                                 uint64_t first, uint64_t n, sae_error *err);

#endif
