/* AuxK with its products dense and code by code, for the number of dead latents where one of them begins to
   be the faster: both against the dense product that the encoder of the batch holds. */
#include "bench_sae.h"

#include "base/memory.h"
#include "base/parallel.h"
#include "train/auxk.h"

#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2, K_AUX = 384, SLICES = 64, PATHS = 2 };

/* What both ways are given. */
typedef struct batch {
    sae_context *context;
    bench_size size;
    saei_parameters parameters;
    saei_panels *panels;
    float *xc, *e;            /* [rows, d] */
    float *g_W_enc, *g_W_dec; /* [THREADS, d] */
    uint64_t *silent;         /* [F] */
} batch;

typedef struct aux_arg {
    const batch *batch;
    saei_auxk auxk;
} aux_arg;

static void add_slice(void *arg, size_t slice, unsigned worker)
{
    const aux_arg *a = arg;
    const batch *b = a->batch;
    size_t F = b->size.n_latents, d = b->size.d;
    for (size_t j = F * slice / SLICES; j < F * (slice + 1) / SLICES; j++) {
        float g_b_enc = 0.0f;
        saei_auxk_add_decoder(&a->auxk, j, b->g_W_dec + worker * d);
        saei_auxk_add_encoder(&a->auxk, j, b->g_W_enc + worker * d, &g_b_enc, b->xc);
    }
}

/* With its part of the sweep, where the second way does half of its work. */
static void run_auxk(void *arg)
{
    aux_arg *a = arg;
    const batch *b = a->batch;
    saei_auxk_run(&a->auxk, &b->parameters, NULL, b->panels, b->xc, b->e, b->size.d, 1.0f);
    saei_parallel_for(b->context, SLICES, add_slice, a);
}

static batch batch_new(bench_size size)
{
    batch b = {.context = bench_context(THREADS), .size = size};
    size_t values = size.rows * size.d;
    sae_error err;
    bench_check(saei_parameters_new(&b.parameters, b.context, size.d, size.n_latents, 0, &err), &err);
    saei_parameters_init(&b.parameters, 0, SAE_DIRECTIONS_NORMAL, 1.0, 0.0);
    bench_check(saei_panels_new(&b.panels, b.context, size.d, size.n_latents, NULL, &err), &err);
    saei_panels_pack(b.panels, 0, size.n_latents, b.parameters.W_enc);
    b.xc = bench_alloc(values, sizeof *b.xc);
    b.e = bench_alloc(values, sizeof *b.e);
    b.g_W_enc = bench_alloc(THREADS * size.d, sizeof *b.g_W_enc);
    b.g_W_dec = bench_alloc(THREADS * size.d, sizeof *b.g_W_dec);
    b.silent = bench_alloc(size.n_latents, sizeof *b.silent);
    bench_rows(b.xc, size.rows, size.d, 1);
    bench_rows(b.e, size.rows, size.d, 2);
    return b;
}

static void batch_free(batch *b)
{
    saei_panels_free(b->panels);
    saei_parameters_free(&b->parameters, b->context);
    free(b->xc);
    free(b->e);
    free(b->g_W_enc);
    free(b->g_W_dec);
    free(b->silent);
    sae_context_free(b->context);
}

static void run_dead(const bench_settings *settings, const batch *b, size_t n_dead)
{
    size_t F = b->size.n_latents;
    bench_gemm gemm = bench_gemm_new(b->size, THREADS, b->xc, b->parameters.W_enc);
    const char *const names[PATHS] = {"dense", "sparse"};
    const size_t few[PATHS] = {n_dead, 1};
    aux_arg args[PATHS];
    bench_work works[1 + PATHS] = {{.path = "sgemm", .run = bench_gemm_run, .arg = &gemm}};
    sae_error err;
    for (size_t j = 0; j < F; j++)
        b->silent[j] = j % (F / n_dead) == 0;
    for (size_t i = 0; i < PATHS; i++) {
        const saei_auxk_settings aux = {
            .k = K_AUX, .style = SAE_AUX_LIBSAE, .coefficient = 1.0, .few = few[i]};
        args[i].batch = b;
        bench_check(saei_auxk_new(&args[i].auxk, b->context, &aux, b->size.d, F, b->size.rows, &err), &err);
        saei_auxk_set_dead(&args[i].auxk, b->silent, 1);
        works[1 + i] = (bench_work){.path = names[i], .run = run_auxk, .arg = &args[i]};
    }
    char name[64];
    snprintf(name, sizeof name, "auxk dead=%zu k=%d d=%zu", n_dead, K_AUX, b->size.d);
    bench_job job = {name, THREADS, b->size.rows, "over_gemm", NULL};
    bench_run(settings, &job, works, 1 + PATHS);
    for (size_t i = 0; i < PATHS; i++)
        saei_auxk_free(&args[i].auxk);
    bench_gemm_free(&gemm);
}

void bench_auxk(const bench_settings *settings)
{
    batch b = batch_new(bench_size_at(settings, 1));
    for (size_t n_dead = 128; n_dead <= 4096; n_dead *= 2)
        run_dead(settings, &b, n_dead);
    batch_free(&b);
}
