/* How the time of a step grows with threads, rows, d, F and k, each alone, and the power of F in the time of
   a token. */
#include "bench_sae.h"

#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

enum { THREADS = 2 };

/* One step of warm-up: what is measured is how the time changes. */
static const bench_size base = {768, 16384, 32, 4096, 1};

/* Rounds are few: most lines differ from the next by a factor. */
static const double seconds = 1.0;

static void step(void *arg)
{
    sae_error err;
    bench_check(sae_trainer_step(arg, &err), &err);
}

/* Milliseconds of a step. */
static double time_step(const bench_settings *settings, const char *varied, bench_size size, unsigned threads)
{
    bench_sae sae = bench_sae_new(size, threads);
    char name[96];
    snprintf(name, sizeof name, "%s, d=%zu F=%zu k=%zu B=%zu", varied, size.d, size.n_latents, size.k,
             size.rows);
    bench_gemm gemm = bench_gemm_new(size, threads, sae.rows, sae.trainer->parameters.W_enc);
    bench_work works[] = {{.path = "sgemm", .run = bench_gemm_run, .arg = &gemm},
                          {.path = "step", .run = step, .arg = sae.trainer}};
    bench_job job = {name, threads, size.rows, "over_gemm", NULL};
    bench_settings shorter = *settings;
    shorter.seconds = settings->quick ? 0.0 : seconds;
    bench_run(&shorter, &job, works, sizeof works / sizeof works[0]);
    bench_gemm_free(&gemm);
    bench_sae_free(&sae);
    return works[1].ms;
}

/* The least-squares slope of log y over log x. */
static double exponent(const double *x, const double *y, size_t n)
{
    double mean_x = 0.0, mean_y = 0.0, covariance = 0.0, variance = 0.0;
    for (size_t i = 0; i < n; i++) {
        mean_x += log(x[i]) / (double)n;
        mean_y += log(y[i]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        covariance += (log(x[i]) - mean_x) * (log(y[i]) - mean_y);
        variance += (log(x[i]) - mean_x) * (log(x[i]) - mean_x);
    }
    return covariance / variance;
}

static void print_exponent(const bench_settings *settings, double value, const char *range)
{
    if (settings->json)
        printf("{\"case\": \"scaling exponent of F\", \"path\": \"%s\", \"threads\": %d, \"ms\": null, "
               "\"tokens_per_s\": null, \"over_gemm\": null, \"rss_over_params\": null, "
               "\"exponent\": %.4f}\n",
               range, THREADS, value);
    else
        printf("time per token ~ F^%.3f, %s\n", value, range);
}

/* At a small d, so that 2¹⁸ latents fit the memory of a small machine. The optimiser's pass over all
   weights is paid once a step: the rows of the step are those of the other lines. */
static void vary_latents(const bench_settings *settings)
{
    enum { POINTS_MAX = 8, LARGE = 4 };
    double F[POINTS_MAX], ms[POINTS_MAX];
    size_t points = settings->quick ? LARGE : POINTS_MAX;
    bench_size size = base;
    size.d = 256;
    size.n_latents = 2048;
    for (size_t i = 0; i < points; i++, size.n_latents *= 2) {
        F[i] = (double)size.n_latents;
        ms[i] = time_step(settings, "scaling F", size, THREADS);
    }
    print_exponent(settings, exponent(F, ms, points),
                   settings->quick ? "F 2048 to 16384" : "F 2048 to 262144");
    if (!settings->quick)
        print_exponent(settings, exponent(F + LARGE, ms + LARGE, POINTS_MAX - LARGE), "F 32768 to 262144");
}

void bench_scaling(const bench_settings *settings)
{
    static const size_t dims[] = {128, 256, 512, 768, 1024};
    for (unsigned threads = 1; threads <= THREADS; threads++)
        time_step(settings, "scaling threads", base, threads);
    bench_size size = base;
    for (size.rows = 512; size.rows <= 8192; size.rows *= 2)
        time_step(settings, "scaling B", size, THREADS);
    size = base;
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        size.d = dims[i];
        time_step(settings, "scaling d", size, THREADS);
    }
    size = base;
    for (size.k = 8; size.k <= 128; size.k *= 2)
        time_step(settings, "scaling k", size, THREADS);
    vary_latents(settings);
}
