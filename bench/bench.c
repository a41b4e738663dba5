#include "bench.h"

#include "num/screen_kernel.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 101, WORKS_MAX = 12, SHORT_MS = 100 };

void bench_check(sae_status status, const sae_error *err)
{
    if (status == SAE_OK)
        return;
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

void *bench_alloc(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (block == NULL) {
        fprintf(stderr, "bench: no memory for %zu × %zu bytes\n", count, size);
        exit(1);
    }
    return block;
}

static sae_context *new_context(unsigned threads, bool trusted)
{
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = threads;
    options.trusted = trusted;
    sae_context *context;
    sae_error err;
    bench_check(sae_context_new(&context, &options, &err), &err);
    return context;
}

sae_context *bench_context(unsigned threads)
{
    return new_context(threads, false);
}

sae_context *bench_context_trusted(unsigned threads)
{
    return new_context(threads, true);
}

static double read_clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

double bench_now_ms(void)
{
    return read_clock_ms(CLOCK_MONOTONIC);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare);
    return n % 2 == 1 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

static double time_run(double *cpu_ms, const bench_work *work)
{
    if (work->prepare != NULL)
        work->prepare(work->arg);
    double start = bench_now_ms(), cpu = read_clock_ms(CLOCK_PROCESS_CPUTIME_ID);
    work->run(work->arg);
    *cpu_ms = read_clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return bench_now_ms() - start;
}

/* Until the threads of an OpenMP loop, which go on spinning after it, have come to rest. */
static void rest(void)
{
    const struct timespec twenty_ms = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&twenty_ms, NULL);
}

/* A short run counts only when it follows another of the same work: caches and threads are then as they are
   in a loop of that work. */
static void time_works(bench_work *works, size_t n, const bench_settings *settings)
{
    static double ms[WORKS_MAX][ROUNDS_MAX], cpu[WORKS_MAX][ROUNDS_MAX];
    size_t rounds = 0;
    double start = bench_now_ms();
    while (rounds < settings->rounds ||
           (rounds < ROUNDS_MAX && bench_now_ms() - start < 1e3 * settings->seconds)) {
        for (size_t i = 0; i < n; i++) {
            rest();
            ms[i][rounds] = time_run(&cpu[i][rounds], &works[i]);
            if (ms[i][rounds] < SHORT_MS)
                ms[i][rounds] = time_run(&cpu[i][rounds], &works[i]);
        }
        rounds++;
    }
    for (size_t i = 0; i < n; i++) {
        works[i].ms = median(ms[i], rounds);
        works[i].cpu_ms = median(cpu[i], rounds);
    }
}

/* A number that the line has always, and null where it was not measured. */
static void print_number(const char *name, double number)
{
    if (number > 0.0)
        printf(", \"%s\": %.4f", name, number);
    else
        printf(", \"%s\": null", name);
}

static void print_json(const bench_job *job, const bench_work *work, const bench_work *works)
{
    double ratio = work->ms / works[0].ms;
    bool over_gemm = job->relation != NULL && strcmp(job->relation, "over_gemm") == 0;
    printf("{\"case\": \"%s\", \"path\": \"%s\", \"threads\": %u, \"rows\": %zu, \"ms\": %.4f, "
           "\"tokens_per_s\": %.0f",
           job->name, work->path, job->threads, job->rows, work->ms, 1e3 * (double)job->rows / work->ms);
    print_number("over_gemm", over_gemm ? ratio : 0.0);
    print_number("cpu_ms", work->cpu_ms);
    print_number("rss_over_params", work->rss_over_params);
    if (job->relation != NULL && !over_gemm)
        print_number(job->relation, ratio);
    if (job->second_relation != NULL)
        print_number(job->second_relation, work->ms / works[1].ms);
    printf(", \"blas\": \"%s\", \"screen\": \"%s\"}\n", openblas_get_corename(),
           saei_screen_kernel_at(0)->name);
}

static void print_row(const bench_job *job, const bench_work *work, const bench_work *works)
{
    printf("%-*s %-24s %7u %12.3f %14.0f", BENCH_NAME_WIDTH, job->name, work->path, job->threads, work->ms,
           1e3 * (double)job->rows / work->ms);
    if (job->relation != NULL)
        printf("   %-10s %8.3f", job->relation, work->ms / works[0].ms);
    if (job->second_relation != NULL)
        printf("   %-10s %8.3f", job->second_relation, work->ms / works[1].ms);
    if (work->rss_over_params > 0.0)
        printf("   rss_over_params %.3f", work->rss_over_params);
    printf("\n");
}

void bench_print(const bench_settings *settings, const bench_job *job, const bench_work *works, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (settings->json)
            print_json(job, &works[i], works);
        else
            print_row(job, &works[i], works);
    }
    fflush(stdout);
}

void bench_run(const bench_settings *settings, const bench_job *job, bench_work *works, size_t n)
{
    time_works(works, n, settings);
    bench_print(settings, job, works, n);
}
