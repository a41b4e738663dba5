/* An SAE in training on synthetic rows, and the dense product that its encoder consists of. */
#ifndef BENCH_SAE_H
#define BENCH_SAE_H

#include "bench.h"

typedef struct bench_size {
    size_t d, n_latents, k, rows; /* rows: of a batch */
    uint64_t warm_up;             /* steps before anything is timed: the scores are then those of an SAE */
} bench_size;

/* The sizes that encoding and training are timed at; training alone at the last, which takes minutes. */
enum { BENCH_SIZES = 2, BENCH_TRAIN_SIZES = 3 };
bench_size bench_size_at(const bench_settings *settings, size_t i);

/* A trainer for long runs, in which no latent counts as dead. aux_k: room for AuxK, as the option. */
#define BENCH_AUX_K SIZE_MAX
sae_trainer *bench_trainer_new(const sae_dump *dump, bench_size size, size_t aux_k);

typedef struct bench_sae {
    sae_context *context;
    bench_size size;
    size_t n_rows; /* of the dump: 4 batches */
    float *rows;   /* [n_rows, d] */
    sae_dump *dump;
    sae_trainer *trainer;
    sae_model *model; /* of the trainer after the warm-up; NULL unless asked for */
} bench_sae;

bench_sae bench_sae_new(bench_size size, unsigned threads);
void bench_sae_make_model(bench_sae *sae);
void bench_sae_free(bench_sae *sae);

/* Rows [n, d] that are sparse sums of 4 d fixed directions, with noise. */
void bench_rows(float *out, size_t n, size_t d, uint64_t seed);

/* C [rows, F] = X [rows, d] · W [F, d]ᵀ by OpenBLAS alone, on its own threads; C of many rows in slices that
   overwrite each other, so that it never takes more than 2²⁸ bytes. */
typedef struct bench_gemm {
    bench_size size;
    unsigned threads;
    const float *x, *W;
    size_t slice; /* rows of c */
    float *c;     /* [slice, F] */
} bench_gemm;

bench_gemm bench_gemm_new(bench_size size, unsigned threads, const float *x, const float *W);
void bench_gemm_free(bench_gemm *gemm);
void bench_gemm_run(void *gemm);

#endif
