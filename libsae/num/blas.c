#include "num/blas.h"

#include <cblas.h>
#include <omp.h>

void saei_blas_begin(void)
{
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void saei_blas_gemm(float *c, const float *a, const float *b, size_t ldb, int b_transposed, size_t m,
                    size_t n, size_t k)
{
    /* The OpenMP flavour of OpenBLAS goes back to as many threads as OpenMP would give the calling thread. */
    int openmp_threads = omp_get_max_threads();
    omp_set_num_threads(1);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n,
                (blasint)k, 1.0f, a, (blasint)k, b, (blasint)ldb, 0.0f, c, (blasint)n);
    omp_set_num_threads(openmp_threads);
}
