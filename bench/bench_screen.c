/* The encoder's kernel paths on the same rows: the dense product, BLAS with selection, screening. */
#include "bench_sae.h"
#include "bench_screen.h"

#include "base/parallel.h"
#include "base/rng.h"
#include "num/blas.h"
#include "num/encoder.h"
#include "num/panels.h"
#include "num/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS_MAX = 10 };

/* As in training, a batch begins where the one before it ended. */
void bench_path_encode(void *arg)
{
    bench_path *path = arg;
    const bench_screen *s = path->screen;
    saei_screen_counts counts;
    saei_encode_rows(s->codes, &path->encoder, s->rows, s->size.rows, &path->workers, &counts);
    path->encoder.start = saei_screen_start(counts.ends);
}

enum { PACKED_AT_ONCE = 64 };

static void pack_some(void *arg, size_t i, unsigned worker)
{
    const bench_path *path = arg;
    const bench_screen *s = path->screen;
    size_t first = i * PACKED_AT_ONCE, left = s->size.n_latents - first;
    (void)worker;
    saei_panels_pack(path->panels, first, left < PACKED_AT_ONCE ? left : PACKED_AT_ONCE,
                     s->W_enc + first * s->size.d);
}

void bench_path_pack(void *arg)
{
    bench_path *path = arg;
    size_t tasks = (path->screen->size.n_latents + PACKED_AT_ONCE - 1) / PACKED_AT_ONCE;
    saei_parallel_for(path->screen->context, tasks, pack_some, path);
}

static void fill_weights(float *W, size_t n_latents, size_t d)
{
    saei_rng rng = saei_rng_new(5, SAEI_STREAM_INIT, 0);
    for (size_t j = 0; j < n_latents; j++) {
        float *w = W + j * d;
        for (size_t i = 0; i < d; i++)
            w[i] = (float)(saei_rng_uniform(&rng) - 0.5);
        float scale = (float)(1.0 / sqrt(saei_row_norm2(w, d)));
        for (size_t i = 0; i < d; i++)
            w[i] *= scale;
    }
}

bench_screen bench_screen_new(bench_size size, unsigned threads)
{
    bench_screen s = {.context = bench_context(threads), .size = size};
    sae_error err;
    s.rows = bench_alloc(size.rows * size.d, sizeof *s.rows);
    s.W_enc = bench_alloc(size.n_latents * size.d, sizeof *s.W_enc);
    s.b_enc = bench_alloc(size.n_latents, sizeof *s.b_enc);
    bench_rows(s.rows, size.rows, size.d, 1);
    fill_weights(s.W_enc, size.n_latents, size.d);
    bench_check(saei_code_slots_new(&s.codes, s.context, size.rows, size.k, &err), &err);
    return s;
}

void bench_screen_free(bench_screen *s)
{
    saei_code_slots_free(&s->codes, s->context);
    free(s->rows);
    free(s->W_enc);
    free(s->b_enc);
    sae_context_free(s->context);
}

bench_path bench_path_new(const bench_screen *s, const saei_screen_kernel *kernel, bool bytes)
{
    bench_path path = {.screen = s};
    sae_error err;
    if (kernel != NULL) {
        bench_check(saei_panels_new(&path.panels, s->context, s->size.d, s->size.n_latents, kernel, &err),
                    &err);
        saei_panels_use_bytes(path.panels, bytes);
        bench_path_pack(&path);
    }
    path.encoder = (saei_encoder){.d = s->size.d,
                                  .n_latents = s->size.n_latents,
                                  .k = s->size.k,
                                  .W_enc = s->W_enc,
                                  .b_enc = s->b_enc,
                                  .panels = path.panels};
    size_t threads = sae_context_threads(s->context);
    saei_encode_workers *workers = &path.workers;
    workers->context = s->context;
    workers->tile_rows = SAEI_TILE_ROWS;
    workers->scratch_floats = saei_encoder_scratch(s->size.d, s->size.n_latents, s->size.k, kernel != NULL);
    bench_check(
        saei_alloc(&workers->scratch, s->context, workers->scratch_floats * threads, sizeof(float), &err),
        &err);
    workers->counts = bench_alloc(threads, sizeof *workers->counts);
    return path;
}

void bench_path_free(bench_path *path)
{
    saei_free(path->screen->context, path->workers.scratch);
    free(path->workers.counts);
    saei_panels_free(path->panels);
}

typedef struct path_list {
    bench_path paths[PATHS_MAX];
    char names[PATHS_MAX][32];
    size_t n;
} path_list;

static void add_path(path_list *list, const bench_screen *s, const saei_screen_kernel *kernel, bool bytes)
{
    snprintf(list->names[list->n], sizeof list->names[0], "%s%s%s", kernel != NULL ? "screen " : "blas",
             kernel != NULL ? kernel->name : "", bytes ? " bytes" : "");
    list->paths[list->n++] = bench_path_new(s, kernel, bytes);
}

/* BLAS, then every kernel that runs here. The portable one is a reference, timed where it is short. */
static void add_paths(path_list *list, const bench_screen *s)
{
    const saei_screen_kernel *kernel;
    add_path(list, s, NULL, false);
    for (size_t i = 0; (kernel = saei_screen_kernel_at(i)) != NULL; i++) {
        if (kernel == &saei_screen_portable && s->size.d > 128)
            break;
        if (kernel->bytes != NULL)
            add_path(list, s, kernel, true);
        add_path(list, s, kernel, false);
    }
}

static void run_size(const bench_settings *settings, bench_size size, unsigned threads)
{
    bench_screen s = bench_screen_new(size, threads);
    bench_gemm gemm = bench_gemm_new(size, threads, s.rows, s.W_enc);
    bench_work works[PATHS_MAX + 2] = {{.path = "sgemm", .run = bench_gemm_run, .arg = &gemm}};
    char name[64];
    path_list list = {.n = 0};
    add_paths(&list, &s);
    for (size_t i = 0; i < list.n; i++)
        works[i + 1] = (bench_work){.path = list.names[i], .run = bench_path_encode, .arg = &list.paths[i]};
    works[list.n + 1] = (bench_work){.path = "pack weights", .run = bench_path_pack, .arg = &list.paths[1]};
    snprintf(name, sizeof name, "kernels d=%zu F=%zu k=%zu", size.d, size.n_latents, size.k);
    bench_job job = {name, threads, size.rows, "over_gemm", NULL};
    bench_run(settings, &job, works, list.n + 2);
    for (size_t i = 0; i < list.n; i++)
        bench_path_free(&list.paths[i]);
    bench_gemm_free(&gemm);
    bench_screen_free(&s);
}

void bench_kernels(const bench_settings *settings)
{
    static const bench_size sizes[] = {
        {128, 2048, 16, 2048, 0}, {768, 16384, 32, 1024, 0}, {2304, 65536, 64, 512, 0}};
    /* The largest takes half a minute: not when in haste. */
    for (size_t i = 0; i < (settings->quick ? 2 : 3); i++)
        for (unsigned threads = 1; threads <= 2; threads++)
            run_size(settings, sizes[i], threads);
}
