/* A second dump read alongside a pass: row i of it belongs to row i of the dump that is streamed. */
#ifndef SAEI_PAIRED_ROWS_H
#define SAEI_PAIRED_ROWS_H

#include "apply/pass.h"

typedef struct saei_paired_rows {
    sae_context *context;
    const sae_dump *dump; /* borrowed */
    float *rows;          /* [capacity, d] */
    size_t capacity;
} saei_paired_rows;

/* Reads the rows that belong to those of the block into paired->rows [block->x.rows, d]. */
sae_status saei_paired_rows_read(saei_paired_rows *paired, const saei_block *block, sae_error *err);
void saei_paired_rows_release(saei_paired_rows *paired);

#endif
