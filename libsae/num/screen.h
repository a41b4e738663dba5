/* The encoder on its screened path: approximate scores of all latents by integer arithmetic, exact scores of
   the few that may be among the k largest. The codes are those of saei_encode_row_exact, bit for bit.
   docs/NUMERICS.md has the proof. */
#ifndef SAEI_SCREEN_H
#define SAEI_SCREEN_H

#include "num/encoder.h"

/* Floats of scratch of one worker. */
size_t saei_screen_scratch(size_t d, size_t k);

/* Rows of xc, and what the k-th largest of each is expected to exceed: saei_encoder.start. */
typedef struct saei_row_list {
    size_t *row, n;
    float start;
} saei_row_list;

/* Encodes the rows, of an encoder with panels. Returns how many are left, not encoded, because too much was
   expected of them; these take the first places of the list. None is left without a start. */
size_t saei_screen_rows(saei_code_slots out, const saei_encoder *encoder, const float *xc, saei_row_list rows,
                        float *scratch, saei_screen_counts *counts);

/* Encodes row `row` of xc from the exact scores of all latents, saei_row_dot(x, w_j) + b_j. */
void saei_encode_row_exact(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t row);

#endif
