/* Where the sequences of a folder's rows begin and end. */
#ifndef SAEI_RANGES_H
#define SAEI_RANGES_H

#include "dump/shard.h"

struct saei_ranges {
    uint64_t *starts; /* [n + 1], ascending from 0 to the number of rows */
    size_t n;
};

void saei_ranges_free(saei_ranges *ranges, sae_context *context);

/* SAEI_COLUMN_PROMPT and SAEI_COLUMN_IN_PROMPT of rows first .. first + count - 1 of the shard. */
void saei_ranges_read(double *out, const saei_column *column, uint64_t first, uint64_t count);

#endif
