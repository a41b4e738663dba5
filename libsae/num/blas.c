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

typedef struct gemm_job {
    float *c;
    const float *a, *b;
    size_t ldb, m, n, k;
    bool b_transposed;
    float alpha, beta;
} gemm_job;

/* c = beta c + alpha a · b on the calling thread alone. */
static void run(const gemm_job *job)
{
    /* This flavour goes back to as many threads as OpenMP would give the calling thread. */
    bool openmp = omp_get_max_threads != NULL && omp_set_num_threads != NULL;
    int openmp_threads = openmp ? omp_get_max_threads() : 0;
    if (openmp)
        omp_set_num_threads(1);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, job->b_transposed ? CblasTrans : CblasNoTrans, (blasint)job->m,
                (blasint)job->n, (blasint)job->k, job->alpha, job->a, (blasint)job->k, job->b,
                (blasint)job->ldb, job->beta, job->c, (blasint)job->n);
    if (openmp)
        omp_set_num_threads(openmp_threads);
}

void saei_blas_gemm(float *c, const float *a, const float *b, size_t ldb, int b_transposed, size_t m,
                    size_t n, size_t k)
{
    run(&(gemm_job){c, a, b, ldb, m, n, k, b_transposed != 0, 1.0f, 0.0f});
}

void saei_blas_gemm_subtract(float *c, const float *a, const float *b, size_t m, size_t n, size_t k)
{
    run(&(gemm_job){c, a, b, n, m, n, k, false, -1.0f, 1.0f});
}
