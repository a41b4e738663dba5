/* Candidates of the high bytes, scored again from all bytes. */
#ifndef SAEI_SCREEN_REFINE_H
#define SAEI_SCREEN_REFINE_H

#include "num/encoder.h"
#include "num/screen_kernel.h"

/* A row in bytes. */
typedef struct saei_byte_row {
    const char *lines; /* [n_lines, high and low line] */
    size_t n_lines;
    int32_t high_offset, low_offset; /* 128 Σ h and 128 Σ l */
    float unit;
    saei_screen_bound bound; /* of scores from all bytes */
} saei_byte_row;

/* Gives candidates from n_refined on the bounds of all bytes; those leave that do not reach the threshold or
   their floor. */
void saei_screen_row_refine(saei_screen_row *candidates, uint32_t n_refined, const saei_byte_row *row,
                            const saei_encoder *encoder);

#endif
