/* The transpose of a matrix, or of a band of one. */
#ifndef SAEI_TRANSPOSE_H
#define SAEI_TRANSPOSE_H

#include <stddef.h>

/* out [cols, rows] = inᵀ, in [rows, cols]; row r of a matrix starts at r · stride. */
void saei_transpose(float *out, size_t out_stride, const float *in, size_t in_stride, size_t rows,
                    size_t cols);

#endif
