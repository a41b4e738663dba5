/* Encoding a batch, and decoding it, against the dense product that the encoder holds. */
#include "bench_sae.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct encode_arg {
    const bench_sae *sae;
    sae_codes *codes;
    float *decoded;
} encode_arg;

static void encode(void *arg)
{
    const encode_arg *a = arg;
    sae_error err;
    sae_view rows = {a->sae->rows, a->sae->size.rows, a->sae->size.d, a->sae->size.d};
    bench_check(sae_model_encode(a->codes, a->sae->model, rows, &err), &err);
}

static void decode(void *arg)
{
    const encode_arg *a = arg;
    sae_error err;
    bench_check(sae_model_decode(a->decoded, a->sae->model, sae_codes_get(a->codes), &err), &err);
}

static void run_size(const bench_settings *settings, bench_size size, unsigned threads)
{
    bench_sae sae = bench_sae_new(size, threads);
    bench_sae_make_model(&sae);
    bench_gemm gemm = bench_gemm_new(size, threads, sae.rows, sae_model_params(sae.model).W_enc);
    encode_arg arg = {.sae = &sae, .decoded = bench_alloc(size.rows * size.d, sizeof(float))};
    sae_error err;
    bench_check(sae_codes_new(&arg.codes, sae.context, &err), &err);
    bench_work works[] = {{.path = "sgemm", .run = bench_gemm_run, .arg = &gemm},
                          {.path = "encode", .run = encode, .arg = &arg},
                          {.path = "decode", .run = decode, .arg = &arg}};
    char name[64];
    snprintf(name, sizeof name, "encode d=%zu F=%zu k=%zu", size.d, size.n_latents, size.k);
    bench_job job = {name, threads, size.rows, "over_gemm", NULL};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    sae_codes_free(arg.codes);
    free(arg.decoded);
    bench_gemm_free(&gemm);
    bench_sae_free(&sae);
}

void bench_encode(const bench_settings *settings)
{
    for (size_t i = 0; i < BENCH_SIZES; i++)
        for (unsigned threads = 1; threads <= 2; threads++)
            run_size(settings, bench_size_at(settings, i), threads);
}
