#include "num/blas.h"

#include <cblas.h>
#include <stdbool.h>
/* Resolved when OpenBLAS is of the OpenMP flavour and brings its OpenMP with it, NULL else. Linking an OpenMP
   ourselves could bring a second one: clang's beside that of OpenBLAS. */
__attribute__((weak)) int omp_get_max_threads(void);
__attribute__((weak)) void omp_set_num_threads(int n);

void saei_blas_begin(void)
{
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void saei_blas_gemm(float *c, const float *a, const float *b, size_t ldb, int b_transposed, size_t m,
                    size_t n, size_t k)
{
    /* This flavour goes back to as many threads as OpenMP would give the calling thread. */
    bool openmp = omp_get_max_threads != NULL && omp_set_num_threads != NULL;
    int openmp_threads = openmp ? omp_get_max_threads() : 0;
    if (openmp)
        omp_set_num_threads(1);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n,
                (blasint)k, 1.0f, a, (blasint)k, b, (blasint)ldb, 0.0f, c, (blasint)n);
    if (openmp)
        omp_set_num_threads(openmp_threads);
}
