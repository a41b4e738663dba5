/* What the cases share: settings, interleaved timing, one line for each result. */
#ifndef BENCH_H
#define BENCH_H

#include "sae.h"

typedef struct bench_settings {
    bool json, quick, full;
    double seconds;     /* timed at least so long per group of works … */
    size_t rounds;      /* … and at least so often */
    const char *folder; /* empty, for files; removed afterwards */
} bench_settings;

/* Of the column of cases. */
enum { BENCH_NAME_WIDTH = 45 };

/* One way to do a job. Runs that change their state must be repeatable. */
typedef struct bench_work {
    const char *path; /* what does it: "sgemm", "fp32", "hdf5 gzip" … */
    void (*run)(void *arg);
    void *arg;
    void (*prepare)(void *arg); /* before each run, not timed; may be NULL */
    double ms;                  /* median */
    double cpu_ms; /* median of the processor time of this process, its threads together; 0: not measured */
    double rss_over_params; /* peak of the process over parameters and moments; 0: not measured */
} bench_work;

/* The job of a group of works; works[0] is what the others are compared with, and works[1] if there is a
   second relation. */
typedef struct bench_job {
    const char *name; /* "encode d=128 F=2048 k=16" */
    unsigned threads;
    size_t rows;                 /* that one run takes */
    const char *relation;        /* "over_gemm", "over_pread"; NULL: no comparison */
    const char *second_relation; /* the same over works[1] */
} bench_job;

/* Times the works in turn, again and again, and prints a line for each. */
void bench_run(const bench_settings *settings, const bench_job *job, bench_work *works, size_t n);

/* The lines alone, of works that were timed otherwise. */
void bench_print(const bench_settings *settings, const bench_job *job, const bench_work *works, size_t n);

/* Ends the program with a message unless status is SAE_OK. */
void bench_check(sae_status status, const sae_error *err);

double bench_now_ms(void);

/* malloc that ends the program when it fails. */
void *bench_alloc(size_t count, size_t size);

sae_context *bench_context(unsigned threads);
sae_context *bench_context_trusted(unsigned threads); /* reads HDF5 in this process */

void bench_io(const bench_settings *settings);
void bench_encode(const bench_settings *settings);
void bench_kernels(const bench_settings *settings);
void bench_train(const bench_settings *settings);
void bench_memory(const bench_settings *settings);
void bench_scaling(const bench_settings *settings);
void bench_auxk(const bench_settings *settings);
void bench_rank(const bench_settings *settings);
void bench_outofcore(const bench_settings *settings);
void bench_profile(const bench_settings *settings);

/* What `libsae_bench BENCH_MEMORY_CHILD i aux_k` does: trains at size i, and prints the milliseconds of a
   step and the peak of memory over parameters and moments. */
#define BENCH_MEMORY_CHILD "--memory-child"
int bench_memory_child(size_t i, size_t aux_k);

/* What `libsae_bench BENCH_PROFILE_CHILD prompts limit_mb` does: makes and compares two profiles, and prints
   the milliseconds of both, the millions of pairs, and the megabytes that the library held at most. */
#define BENCH_PROFILE_CHILD "--profile-child"
int bench_profile_child(size_t prompts, size_t limit_mb);

#endif
