/* A row under screening: the bound on the errors of its scores, and the threshold that its candidates reach.
 */
#ifndef SAEI_SCREEN_ROW_H
#define SAEI_SCREEN_ROW_H

#include "num/screen_kernel.h"

/* Sets the coefficients of the bound for a packed row of d dimensions (unit, norm and error as
   saei_fixed_pack gives them) and biases of at most bias_max; no candidates, and a threshold that every score
   reaches. */
void saei_screen_row_start(saei_screen_row *row, float unit, float norm, float error, size_t d,
                           float bias_max);

/* Raises the threshold towards the k-th largest lower bound, as far as is quickly found, if more than k are
   above the threshold; candidates below it leave. When so many stay even after saei_screen_row_settle that a
   kernel lacks room (capacity), the row is given up: no candidates, and a threshold of NaN. */
void saei_screen_row_raise(saei_screen_row *row, size_t k, size_t capacity);

/* Raises the threshold until at most k lower bounds are above it, and at least k are not below. */
void saei_screen_row_settle(saei_screen_row *row, size_t k);

#endif
