/* Kernels on one row of d floats. Sums run over 16 lanes that are added in a fixed tree: the same bits
   whatever the vector width of the machine. */
#ifndef SAEI_ROWS_H
#define SAEI_ROWS_H

#include <stddef.h>

/* Σ a_i b_i */
float saei_row_dot(const float *a, const float *b, size_t d);

/* Σ a_i², in double */
double saei_row_norm2(const float *a, size_t d);

/* y += a x */
void saei_row_axpy(float *y, float a, const float *x, size_t d);

/* y = a x − c; y may be x */
void saei_row_scale_shift(float *y, float a, const float *x, const float *c, size_t d);

#endif
