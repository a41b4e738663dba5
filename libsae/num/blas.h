/* BLAS from inside our own loops: one thread for each call. */
#ifndef SAEI_BLAS_H
#define SAEI_BLAS_H

#include <stddef.h>

/* c [m, n] = a [m, k] · b, where b is [k, n], or [n, k] when b_transposed; ldb is the row length of b. Runs
   on the calling thread alone, so that the summation order depends on the shape only. Call saei_blas_begin
   before. */
void saei_blas_gemm(float *c, const float *a, const float *b, size_t ldb, int b_transposed, size_t m,
                    size_t n, size_t k);

/* c [m, n] −= a [m, k] · b [k, n], in the same way. */
void saei_blas_gemm_subtract(float *c, const float *a, const float *b, size_t m, size_t n, size_t k);

/* Sets OpenBLAS to one thread, process-wide. Call it outside of parallel loops. */
void saei_blas_begin(void);

#endif
