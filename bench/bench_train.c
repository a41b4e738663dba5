/* A whole training step, and its stages, against the dense product that the encoder holds. */
#include "bench_sae.h"

#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_arg {
    const bench_sae *sae;
    sae_trainer *t;
} train_arg;

static void step(void *arg)
{
    const train_arg *a = arg;
    sae_error err;
    bench_check(sae_trainer_step(a->t, &err), &err);
}

/* The forward pass scales the batch in place, so each run brings its own. */
static void forward(void *arg)
{
    const train_arg *a = arg;
    saei_penalty penalty = {0};
    memcpy(a->t->objective.xc, a->sae->rows, a->sae->size.rows * a->sae->size.d * sizeof(float));
    saei_objective_forward(&a->t->objective, &a->t->parameters, &penalty, (float)a->t->scale,
                           a->sae->size.rows);
}

/* Of the codes that the last forward pass left. */
static void backward(void *arg)
{
    const train_arg *a = arg;
    saei_penalty penalty = {0};
    saei_objective_backward(&a->t->objective, &a->t->parameters, &penalty);
}

/* A rate of 0 leaves the parameters as they are. */
static void sweep(void *arg)
{
    const train_arg *a = arg;
    saei_penalty penalty = {0};
    saei_adam_step adam = saei_adam_begin(&a->t->parameters, &a->t->adam, a->t->step, 0.0, 1.0);
    saei_objective_sweep(&a->t->objective, &a->t->parameters, &penalty, saei_adam_update_latent, &adam);
}

static void run_size(const bench_settings *settings, bench_size size, unsigned threads)
{
    bench_sae sae = bench_sae_new(size, threads);
    bench_gemm gemm = bench_gemm_new(&sae);
    train_arg arg = {&sae, sae.trainer};
    bench_work works[] = {{.path = "sgemm", .run = bench_gemm_run, .arg = &gemm},
                          {.path = "step", .run = step, .arg = &arg},
                          {.path = "  forward", .run = forward, .arg = &arg},
                          {.path = "  backward", .run = backward, .arg = &arg},
                          {.path = "  sweep", .run = sweep, .arg = &arg}};
    char name[64];
    snprintf(name, sizeof name, "train d=%zu F=%zu k=%zu", size.d, size.n_latents, size.k);
    bench_job job = {name, threads, size.rows, "over_gemm"};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    bench_gemm_free(&gemm);
    bench_sae_free(&sae);
}

void bench_train(const bench_settings *settings)
{
    for (size_t i = 0; i < BENCH_SIZES; i++)
        for (unsigned threads = 1; threads <= 2; threads++)
            run_size(settings, bench_size_at(settings, i), threads);
}
