/* Peak memory of a process that does nothing but train, over parameters and both moments of Adam. */
#include "bench_sae.h"

#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, STEPS = 3 };

/* Of this program alone: the peak that getrusage tells begins with the process that started it. */
static double peak_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kilobytes = 0.0;
    while (file != NULL && kilobytes == 0.0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kilobytes = strtod(line + 6, NULL);
    if (file == NULL || kilobytes == 0.0) {
        fprintf(stderr, "bench: no VmHWM in /proc/self/status\n");
        exit(1);
    }
    fclose(file);
    return 1024.0 * kilobytes;
}

int bench_memory_child(size_t i, size_t aux_k)
{
    bench_size size = bench_size_at(&(bench_settings){0}, i);
    sae_error err;
    sae_context *context = bench_context(THREADS);
    float *rows = bench_alloc(size.rows * size.d, sizeof *rows);
    bench_rows(rows, size.rows, size.d, 1);
    sae_dump *dump;
    sae_view view = {rows, size.rows, size.d, size.d};
    bench_check(sae_dump_from_rows(&dump, context, view, &err), &err);
    sae_trainer *trainer = bench_trainer_new(dump, size, aux_k);
    double start = bench_now_ms();
    for (int step = 0; step < STEPS; step++)
        bench_check(sae_trainer_step(trainer, &err), &err);
    double ms = (bench_now_ms() - start) / STEPS;
    printf("%.6f %.6f\n", ms, peak_bytes() / (3.0 * sizeof(float) * (double)trainer->parameters.count));
    sae_trainer_free(trainer);
    sae_dump_free(dump);
    free(rows);
    sae_context_free(context);
    return 0;
}

static bench_work train_in_child(const char *path, size_t i, size_t aux_k)
{
    char command[128];
    snprintf(command, sizeof command, "exec /proc/%ld/exe " BENCH_MEMORY_CHILD " %zu %zu", (long)getpid(), i,
             aux_k);
    FILE *child = popen(command, "r");
    bench_work work = {.path = path};
    if (child == NULL || fscanf(child, "%lf %lf", &work.ms, &work.rss_over_params) != 2 ||
        pclose(child) != 0) {
        fprintf(stderr, "bench: the process that trains to tell its memory failed: %s\n", command);
        exit(1);
    }
    return work;
}

void bench_memory(const bench_settings *settings)
{
    for (size_t i = 1; i < (settings->quick ? BENCH_SIZES : BENCH_TRAIN_SIZES); i++) {
        bench_size size = bench_size_at(&(bench_settings){0}, i);
        char name[64];
        snprintf(name, sizeof name, "memory d=%zu F=%zu k=%zu", size.d, size.n_latents, size.k);
        const bench_work works[] = {train_in_child("step", i, BENCH_AUX_K),
                                    train_in_child("step, without AuxK", i, 0)};
        bench_job job = {name, THREADS, size.rows, NULL, NULL};
        bench_print(settings, &job, works, sizeof works / sizeof works[0]);
    }
}
