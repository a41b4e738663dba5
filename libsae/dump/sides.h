/* Two dumps seen as one: their rows side by side, or their difference. */
#ifndef SAEI_SIDES_H
#define SAEI_SIDES_H

#include "dump/dump.h"

typedef enum saei_joining { SAEI_PAIR, SAEI_DIFFERENCE } saei_joining;

/* Row i is made of selected row i of both. */
typedef struct saei_sides saei_sides;

/* Reads through before and after, which must outlive it; neither is changed. */
sae_status saei_sides_new(saei_sides **out, const sae_dump *before, const sae_dump *after,
                          saei_joining joining, const double scale[2], sae_error *err);
void saei_sides_free(saei_sides *sides);

const sae_dump *saei_sides_before(const saei_sides *sides);
saei_joined saei_sides_describe(const saei_sides *sides);
/* As saei_dump_block_rows, of both. */
uint64_t saei_sides_block_rows(const saei_sides *sides);
/* As saei_dump_file_bytes, of both. */
uint64_t saei_sides_file_bytes(const saei_sides *sides);

/* Rows first .. first + count - 1 into out [count, width]: [scale_0 x_before, scale_1 x_after], or x_after −
   x_before. *finite becomes false when one holds NaN or Inf. Allocates nothing; reads from several threads
   take turns. */
sae_status saei_sides_read(float *out, bool *finite, const saei_sides *sides, uint64_t first, uint64_t count,
                           const saei_lone_reader *alone, sae_error *err);

#endif
