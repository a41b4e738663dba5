/* A whole training step, and its stages, against the dense product that the encoder holds; then the step with
   each of the encoders that run here in place of the fastest. */
#include "bench_sae.h"

#include "base/memory.h"
#include "train/objective_inside.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The slower kernels are references, timed where they are short. */
enum { STAGES = 4, KERNELS_MAX = 6, KERNELS_LARGE = 3, WORKS_MAX = 1 + STAGES + 1 + KERNELS_MAX };

typedef struct train_arg {
    const bench_sae *sae;
    sae_trainer *t;
    const saei_screen_kernel *kernel; /* NULL: BLAS */
    bool wide;                        /* not in bytes, though these may be faster */
} train_arg;

/* Puts the encoder of the work in the place of the trainer's. */
static void choose_encoder(void *arg)
{
    const train_arg *a = arg;
    saei_objective *o = &a->t->objective;
    bool bytes = a->kernel != NULL && a->kernel->bytes != NULL && !a->wide && o->screening.in_bytes;
    if (a->kernel == (o->panels != NULL ? saei_panels_kernel(o->panels) : NULL) &&
        bytes == (o->panels != NULL && saei_panels_in_bytes(o->panels)))
        return;
    const saei_objective_settings *s = &o->settings;
    sae_error err;
    saei_panels_free(o->panels);
    o->panels = NULL;
    if (a->kernel != NULL)
        bench_check(saei_panels_new(&o->panels, o->context, s->d, s->n_latents, a->kernel, &err), &err);
    if (o->panels != NULL)
        saei_panels_use_bytes(o->panels, bytes);
    saei_objective_pack(o, &a->t->parameters);
    o->settings.blas_encoder = a->kernel == NULL;
    saei_free(o->context, o->tile_floats);
    size_t length = saei_objective_tile_floats(s) * sae_context_threads(o->context);
    bench_check(saei_alloc(&o->tile_floats, o->context, length, sizeof(float), &err), &err);
}

static void step(void *arg)
{
    const train_arg *a = arg;
    sae_error err;
    bench_check(sae_trainer_step(a->t, &err), &err);
}

/* The forward pass scales the batch in place, so each run brings its own. */
static void prepare_forward(void *arg)
{
    const train_arg *a = arg;
    choose_encoder(arg);
    memcpy(a->t->objective.xc, a->sae->rows, a->sae->size.rows * a->sae->size.d * sizeof(float));
}

static void forward(void *arg)
{
    const train_arg *a = arg;
    saei_penalty penalty = {0};
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
    saei_gradient_receiver receiver = saei_adam_receiver(&adam);
    saei_objective_sweep(&a->t->objective, &a->t->parameters, &penalty, &receiver);
}

/* The step by BLAS, then by the fastest kernel in wide numbers and by the others. */
static size_t add_encoders(bench_work *works, train_arg *args, char names[][32], const bench_sae *sae)
{
    size_t n = 0, most = sae->size.d <= 768 ? KERNELS_MAX : KERNELS_LARGE;
    const saei_screen_kernel *kernel = NULL;
    do {
        bool wide = kernel != NULL && kernel->bytes != NULL;
        args[n] = (train_arg){sae, sae->trainer, kernel, wide};
        snprintf(names[n], sizeof names[n], "step, %s%s%s", kernel != NULL ? "screen " : "blas",
                 kernel != NULL ? kernel->name : "", wide ? " wide" : "");
        works[n] = (bench_work){.path = names[n], .run = step, .arg = &args[n], .prepare = choose_encoder};
        kernel = saei_screen_kernel_at(n++);
    } while (kernel != NULL && n < most && (kernel != &saei_screen_portable || sae->size.d <= 128));
    return n;
}

static void run_size(const bench_settings *settings, bench_size size, unsigned threads)
{
    bench_sae sae = bench_sae_new(size, threads);
    bench_gemm gemm = bench_gemm_new(size, threads, sae.rows, sae.trainer->parameters.W_enc);
    train_arg arg = {&sae, sae.trainer, saei_screen_kernel_at(0), false}, others[KERNELS_MAX];
    bench_work works[WORKS_MAX] = {
        {.path = "sgemm", .run = bench_gemm_run, .arg = &gemm},
        {.path = "step", .run = step, .arg = &arg, .prepare = choose_encoder},
        {.path = "  forward", .run = forward, .arg = &arg, .prepare = prepare_forward},
        {.path = "  backward", .run = backward, .arg = &arg},
        {.path = "  sweep", .run = sweep, .arg = &arg}};
    char name[64], names[KERNELS_MAX][32];
    size_t n = 1 + STAGES + add_encoders(works + 1 + STAGES, others, names, &sae);
    snprintf(name, sizeof name, "train d=%zu F=%zu k=%zu", size.d, size.n_latents, size.k);
    bench_job job = {name, threads, size.rows, "over_gemm", NULL};
    bench_run(settings, &job, works, n);
    bench_gemm_free(&gemm);
    bench_sae_free(&sae);
}

void bench_train(const bench_settings *settings)
{
    for (size_t i = 0; i < BENCH_SIZES; i++)
        for (unsigned threads = 1; threads <= 2; threads++)
            run_size(settings, bench_size_at(settings, i), threads);
    /* A step of the largest takes seconds. */
    for (size_t i = BENCH_SIZES; i < BENCH_TRAIN_SIZES && !settings->quick; i++)
        run_size(settings, bench_size_at(settings, i), 2);
}
