/* The encoder on its screened path: approximate scores of all latents by integer arithmetic, exact scores of
   the few that may be among the k largest. The codes are those of saei_encode_row_exact, bit for bit.
   docs/NUMERICS.md has the proof. */
#ifndef SAEI_SCREEN_H
#define SAEI_SCREEN_H

#include "num/encoder.h"

/* Floats of scratch of one worker. */
size_t saei_screen_scratch(size_t d, size_t k);

/* saei_encode_tile for an encoder with panels. */
void saei_screen_tile(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t first,
                      size_t rows, float *scratch, saei_screen_counts *counts);

/* Encodes row `row` of xc from the exact scores of all latents, saei_row_dot(x, w_j) + b_j. */
void saei_encode_row_exact(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t row);

#endif
