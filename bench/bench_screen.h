/* An encoder with random weights on synthetic rows, and the ways to run it. */
#ifndef BENCH_SCREEN_H
#define BENCH_SCREEN_H

#include "bench_sae.h"

#include "base/memory.h"
#include "num/encoder.h"
#include "num/panels.h"

typedef struct bench_screen {
    sae_context *context;
    bench_size size;
    float *rows, *W_enc, *b_enc; /* W_enc [F, d] */
    saei_code_slots codes;
} bench_screen;

bench_screen bench_screen_new(bench_size size, unsigned threads);
void bench_screen_free(bench_screen *screen);

typedef struct bench_path {
    const bench_screen *screen;
    saei_panels *panels; /* NULL: BLAS */
    saei_encoder encoder;
    saei_encode_workers workers;
} bench_path;

bench_path bench_path_new(const bench_screen *screen, const saei_screen_kernel *kernel, bool bytes);
void bench_path_free(bench_path *path);

/* Encodes all rows; packs all latents. arg: the bench_path. */
void bench_path_encode(void *arg);
void bench_path_pack(void *arg);

#endif
