/* Kernels on one row of d floats. Sums run over 16 lanes that are added in a fixed tree: the same bits
   whatever the vector width of the machine. */
#ifndef SAEI_ROWS_H
#define SAEI_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Σ a_i b_i */
float saei_row_dot(const float *a, const float *b, size_t d);

/* Σ a_i, in double */
double saei_row_sum(const float *a, size_t d);

/* Σ a_i², in double: 32 lanes, of which l and l + 16 are added, then + 8, + 4, + 2 and + 1 */
double saei_row_norm2(const float *a, size_t d);

/* The ways to add squares that run on this machine, the fastest first; NULL after the last. All give the same
   bits. out: lanes 0 to 7 when 16 and 8 are added; of n numbers, whole lanes, and of `rest` [SAEI_SQUARES].
 */
enum { SAEI_SQUARES = 32, SAEI_SQUARES_FOLDED = 8 };
typedef void (*saei_fold_squares_fn)(double out[SAEI_SQUARES_FOLDED], const float *a, size_t n,
                                     const float *rest);
saei_fold_squares_fn saei_fold_squares_at(size_t i);
double saei_row_norm2_by(saei_fold_squares_fn squares, const float *a, size_t d);

/* y += a x */
void saei_row_axpy(float *y, float a, const float *x, size_t d);

enum { SAEI_ROWS_AFTER = 3 };

/* Rows of base by their numbers, `stride` floats apart, and those that will be wanted after them, which are
   brought into the cache meanwhile. */
typedef struct saei_named_rows {
    const float *base;
    size_t stride;
    const uint32_t *row; /* [n] */
    size_t n;
    const uint32_t *next; /* [n_next] */
    size_t n_next;
    const float *after[SAEI_ROWS_AFTER]; /* rows elsewhere, for who combines these; NULL: none */
} saei_named_rows;

/* out [d] += Σ_i weight_i row_i; for each element the terms are added in the order of i. */
void saei_rows_combine(float *out, const saei_named_rows *rows, const float *weight, size_t d);

/* out_i = saei_row_dot(a, row_i, d), to the bit */
void saei_rows_dot(float *out, const float *a, const saei_named_rows *rows, size_t d);

/* y_i = (x_i − c) a, in double and rounded once; y may be x */
void saei_row_shift_scale(float *y, const float *x, double c, double a, size_t d);

/* y = a x − c; y may be x */
void saei_row_scale_shift(float *y, float a, const float *x, const float *c, size_t d);

#endif
