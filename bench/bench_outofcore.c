/* Training from a file ten times the memory limit, against the same training from rows in memory. */
#include "bench_sae.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The file is this many rows again and again: what it holds does not change the time of a step. */
enum { BLOCK_ROWS = 65536, NPY_HEADER = 128 };

typedef struct scale {
    size_t d, n_latents, k, batch_rows, blocks;
    uint64_t memory_limit, steps; /* steps of one run: more rows than a window */
    double seconds;
} scale;

static int write_file(const char *path, const float *block, const scale *s)
{
    FILE *file = fopen(path, "wb");
    char header[NPY_HEADER + 1];
    int n = snprintf(header, sizeof header,
                     "\x93NUMPY\x01%c%c%c{'descr': '<f4', 'fortran_order': False, 'shape': "
                     "(%zu, %zu), }",
                     0, NPY_HEADER - 10, 0, s->blocks * BLOCK_ROWS, s->d);
    snprintf(header + n, sizeof header - (size_t)n, "%*s\n", NPY_HEADER - 1 - n, "");
    bool written = file != NULL && fwrite(header, 1, NPY_HEADER, file) == NPY_HEADER;
    for (size_t i = 0; i < s->blocks && written; i++)
        written = fwrite(block, s->d * sizeof *block, BLOCK_ROWS, file) == BLOCK_ROWS;
    if (!written || fflush(file) != 0 || fsync(fileno(file)) != 0 || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    int fd = open(path, O_RDONLY);
    unlink(path);
    return fd;
}

typedef struct steps_arg {
    sae_trainer *trainer;
    uint64_t steps;
    int fd; /* of the file, -1: none */
} steps_arg;

static void run_steps(void *arg)
{
    const steps_arg *a = arg;
    sae_error err;
    /* A file larger than all memory would not stay in the page cache. */
    if (a->fd >= 0)
        posix_fadvise(a->fd, 0, 0, POSIX_FADV_DONTNEED);
    for (uint64_t i = 0; i < a->steps; i++)
        bench_check(sae_trainer_step(a->trainer, &err), &err);
}

static sae_context *limited_context(uint64_t memory_limit)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.memory_limit = memory_limit;
    options.threads = 2;
    sae_context *context;
    sae_error err;
    bench_check(sae_context_new(&context, &options, &err), &err);
    return context;
}

void bench_outofcore(const bench_settings *settings)
{
    const scale small = {256, 4096, 32, 2048, 30, (uint64_t)200 << 20, 50, 12.0},
                full = {768, 16384, 32, 4096, 102, (uint64_t)2 << 30, 100, 200.0};
    const scale *s = settings->full ? &full : &small;
    sae_error err;
    float *block = bench_alloc(BLOCK_ROWS * s->d, sizeof *block);
    bench_rows(block, BLOCK_ROWS, s->d, 1);
    char path[600];
    snprintf(path, sizeof path, "%s/outofcore.npy", settings->folder);
    sae_context *contexts[2] = {bench_context(2), limited_context(s->memory_limit)};
    sae_dump *dumps[2];
    sae_trainer *trainers[2];
    bench_size size = {s->d, s->n_latents, s->k, s->batch_rows, 0};
    sae_view view = {block, BLOCK_ROWS, s->d, s->d};
    bench_check(sae_dump_from_rows(&dumps[0], contexts[0], view, &err), &err);
    int fd = write_file(path, block, s);
    char opened[64];
    snprintf(opened, sizeof opened, "/proc/self/fd/%d", fd);
    const char *opened_path = opened;
    bench_check(sae_dump_open(&dumps[1], contexts[1], &opened_path, 1, NULL, &err), &err);
    for (int i = 0; i < 2; i++)
        trainers[i] = bench_trainer_new(dumps[i], size, BENCH_AUX_K);
    steps_arg args[] = {{trainers[0], s->steps, -1}, {trainers[1], s->steps, fd}};
    bench_work works[] = {{.path = "memory", .run = run_steps, .arg = &args[0]},
                          {.path = "file", .run = run_steps, .arg = &args[1]}};
    char name[80];
    snprintf(name, sizeof name, "outofcore %.0f GB in %.1f GB d=%zu F=%zu",
             (double)s->blocks * BLOCK_ROWS * (double)s->d * 4e-9, (double)s->memory_limit * 1e-9, s->d,
             s->n_latents);
    bench_job job = {name, 2, s->steps * s->batch_rows, "over_memory", NULL};
    bench_settings longer = *settings;
    longer.seconds = settings->quick ? 0.0 : s->seconds;
    bench_run(&longer, &job, works, sizeof works / sizeof works[0]);
    for (int i = 0; i < 2; i++) {
        sae_trainer_free(trainers[i]);
        sae_dump_free(dumps[i]);
        sae_context_free(contexts[i]);
    }
    close(fd);
    free(block);
}
