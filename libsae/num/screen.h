/* The encoder on its screened path: approximate scores of all latents by integer arithmetic, exact scores of
   the few that may be among the k largest. The codes are those of saei_encode_row_exact, bit for bit.
   docs/NUMERICS.md has the proof. */
#ifndef SAEI_SCREEN_H
#define SAEI_SCREEN_H

#include "num/kept_candidates.h"

/* Floats of scratch of one worker. */
size_t saei_screen_scratch(size_t d, size_t k);

/* Rows of xc, and what the k-th largest of each is expected to exceed: saei_encoder.start. */
typedef struct saei_row_list {
    size_t *row, n;
    float start;
} saei_row_list;

/* Encodes the rows, of an encoder with panels, but for those of which it keeps the candidates (NULL: of
   none). Returns how many are left, neither encoded nor kept, because too much was expected of them; these
   take the first places of the list. None is left without a start. */
size_t saei_screen_rows(saei_code_slots out, const saei_encoder *encoder, const float *xc, saei_row_list rows,
                        const saei_candidates *kept, float *scratch, saei_screen_counts *counts);

/* Encodes row `row` from its candidates, if they were kept, once they have scores. */
void saei_screen_kept_row(saei_code_slots out, size_t k, const saei_candidates *kept, size_t row,
                          float *scratch, saei_screen_counts *counts);

/* Encodes row `row` of xc from the exact scores of all latents, saei_row_dot(x, w_j) + b_j. */
void saei_encode_row_exact(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t row);

#endif
