#include "bench_sae.h"

#include "base/rng.h"
#include "num/rows.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

bench_size bench_size_at(const bench_settings *settings, size_t i)
{
    const bench_size sizes[BENCH_TRAIN_SIZES] = {
        {128, 2048, 16, 2048, 100}, {768, 16384, 32, 4096, 3}, {2304, 65536, 64, 4096, 2}};
    bench_size size = sizes[i];
    if (settings->quick) {
        size.rows /= 4;
        size.warm_up = size.warm_up / 5 + 1;
    }
    return size;
}

void bench_rows(float *out, size_t n, size_t d, uint64_t seed)
{
    enum { ACTIVE = 12 };
    size_t n_directions = 4 * d;
    float *directions = bench_alloc(n_directions * d, sizeof *directions);
    saei_rng rng = saei_rng_new(0, SAEI_STREAM_INIT, 0);
    for (size_t i = 0; i < n_directions * d; i++)
        directions[i] = (float)(saei_rng_uniform(&rng) - 0.5);
    rng = saei_rng_new(seed, SAEI_STREAM_ROWS, 0);
    for (size_t r = 0; r < n; r++) {
        float *row = out + r * d;
        for (size_t i = 0; i < d; i++)
            row[i] = (float)(0.3 * (saei_rng_uniform(&rng) - 0.5));
        for (int i = 0; i < ACTIVE; i++) {
            double u = saei_rng_uniform(&rng);
            size_t j = (size_t)(u * u * (double)n_directions);
            saei_row_axpy(row, (float)-log1p(-saei_rng_uniform(&rng)), directions + j * d, d);
        }
    }
    free(directions);
}

sae_trainer *bench_trainer_new(const sae_dump *dump, bench_size size, size_t aux_k)
{
    sae_train_options options;
    sae_train_options_init(&options);
    options.n_latents = size.n_latents;
    options.k = size.k;
    options.batch_rows = size.rows;
    options.steps = 1000000;
    options.heldout = 0.0;
    options.aux_k = aux_k;
    options.dead_after = UINT64_MAX; /* AuxK would make the work of a step depend on its number */
    sae_trainer *trainer;
    sae_error err;
    bench_check(sae_trainer_new(&trainer, dump, NULL, &options, &err), &err);
    return trainer;
}

bench_sae bench_sae_new(bench_size size, unsigned threads)
{
    sae_error err;
    bench_sae sae = {.context = bench_context(threads), .size = size, .n_rows = 4 * size.rows};
    sae.rows = bench_alloc(sae.n_rows * size.d, sizeof *sae.rows);
    bench_rows(sae.rows, sae.n_rows, size.d, 1);
    sae_view view = {sae.rows, sae.n_rows, size.d, size.d};
    bench_check(sae_dump_from_rows(&sae.dump, sae.context, view, &err), &err);
    sae.trainer = bench_trainer_new(sae.dump, size, BENCH_AUX_K);
    for (uint64_t step = 0; step < size.warm_up; step++)
        bench_check(sae_trainer_step(sae.trainer, &err), &err);
    return sae;
}

void bench_sae_make_model(bench_sae *sae)
{
    sae_error err;
    bench_check(sae_trainer_model(&sae->model, sae->trainer, &err), &err);
}

void bench_sae_free(bench_sae *sae)
{
    sae_model_free(sae->model);
    sae_trainer_free(sae->trainer);
    sae_dump_free(sae->dump);
    free(sae->rows);
    sae_context_free(sae->context);
}

bench_gemm bench_gemm_new(bench_size size, unsigned threads, const float *x, const float *W)
{
    const size_t most = (size_t)1 << 26;
    size_t slice = size.rows * size.n_latents <= most ? size.rows : most / size.n_latents;
    return (bench_gemm){size, threads, x, W, slice, bench_alloc(slice * size.n_latents, sizeof(float))};
}

void bench_gemm_free(bench_gemm *gemm)
{
    free(gemm->c);
}

void bench_gemm_run(void *arg)
{
    const bench_gemm *gemm = arg;
    size_t rows = gemm->size.rows;
    blasint n = (blasint)gemm->size.n_latents, k = (blasint)gemm->size.d;
    /* Either flavour of OpenBLAS: the library leaves it at one thread. */
    omp_set_num_threads((int)gemm->threads);
    openblas_set_num_threads((int)gemm->threads);
    for (size_t first = 0; first < rows; first += gemm->slice) {
        blasint m = (blasint)(rows - first < gemm->slice ? rows - first : gemm->slice);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, gemm->x + first * gemm->size.d, k,
                    gemm->W, k, 0.0f, gemm->c, n);
    }
}
