/* Memory and time of a ranking while rows grow: two profiles from synthetic codes, and their comparison. The
   codes come from nowhere, since encoding is another case; every prompt has its own pool of latents, from
   which its rows draw. */
#include "bench.h"

#include "base/rng.h"
#include "diff/profile.h"
#include "diff/ranking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LATENTS = 200000, ACTIVE = 64, PROMPT_ROWS = 100, POOL = 1024, THREADS = 2 };

/* What the library holds, counted by its allocator, which also remembers the most. */
typedef struct meter {
    size_t held, most;
} meter;

static void *meter_alloc(void *user, size_t bytes)
{
    meter *m = user;
    size_t *block = malloc(bytes + 64);
    if (block == NULL)
        return NULL;
    *block = bytes;
    size_t held = __atomic_add_fetch(&m->held, bytes, __ATOMIC_RELAXED);
    if (held > m->most)
        m->most = held;
    return (char *)block + 64;
}

static void meter_free(void *user, void *block)
{
    meter *m = user;
    size_t *start = (size_t *)(void *)((char *)block - 64);
    __atomic_sub_fetch(&m->held, *start, __ATOMIC_RELAXED);
    free(start);
}

static int compare_latents(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A row takes every POOL / ACTIVE-th latent of its prompt's pool, from a random one on: distinct, ascending.
 */
static void draw_prompt(uint32_t *latent, float *value, uint64_t side, uint64_t prompt)
{
    uint32_t pool[POOL];
    saei_rng rng = saei_rng_new(0, SAEI_STREAM_INIT, prompt);
    for (size_t i = 0; i < POOL; i++)
        pool[i] = (uint32_t)(i * (LATENTS / POOL) + saei_rng_below(&rng, LATENTS / POOL));
    qsort(pool, POOL, sizeof *pool, compare_latents);
    rng = saei_rng_new(1 + side, SAEI_STREAM_INIT, prompt);
    for (size_t r = 0; r < PROMPT_ROWS; r++) {
        size_t first = (size_t)saei_rng_below(&rng, POOL / ACTIVE);
        for (size_t a = 0; a < ACTIVE; a++) {
            latent[r * ACTIVE + a] = pool[first + a * (POOL / ACTIVE)];
            value[r * ACTIVE + a] = (float)saei_rng_uniform(&rng) + 0.01f;
        }
    }
}

static saei_profile *new_profile(sae_context *context, size_t prompts, uint64_t side)
{
    double *prompt = bench_alloc(prompts * PROMPT_ROWS, sizeof *prompt);
    uint32_t *latent = bench_alloc(PROMPT_ROWS * ACTIVE, sizeof *latent);
    float *value = bench_alloc(PROMPT_ROWS * ACTIVE, sizeof *value);
    uint64_t row_ptr[PROMPT_ROWS + 1];
    for (size_t r = 0; r < prompts * PROMPT_ROWS; r++)
        prompt[r] = (double)(r / PROMPT_ROWS);
    for (size_t r = 0; r <= PROMPT_ROWS; r++)
        row_ptr[r] = r * ACTIVE;
    saei_groups *groups;
    saei_profile_builder *builder;
    saei_profile *profile;
    sae_error err;
    bench_check(saei_groups_new(&groups, context, prompt, prompts * PROMPT_ROWS, "rows", &err), &err);
    free(prompt);
    bench_check(saei_profile_builder_new(&builder, context, groups, NULL, LATENTS, &err), &err);
    for (uint64_t p = 0; p < prompts; p++) {
        draw_prompt(latent, value, side, p);
        saei_block block = {.first = p * PROMPT_ROWS,
                            .x = {.rows = PROMPT_ROWS},
                            .codes = {PROMPT_ROWS, row_ptr, latent, value}};
        bench_check(saei_profile_builder_observe(builder, &block, &err), &err);
    }
    bench_check(saei_profile_builder_finish(&profile, builder, &err), &err);
    saei_profile_builder_free(builder);
    saei_groups_free(groups);
    free(value);
    free(latent);
    return profile;
}

static void compare(sae_context *context, const saei_profile *before, const saei_profile *after)
{
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 10000;
    options.bootstrap = 200;
    saei_ranking_input input = {.before = before, .after = after, .paired = true};
    sae_ranking *ranking;
    sae_error err;
    bench_check(saei_ranking_compute(&ranking, context, &input, &options, &err), &err);
    sae_ranking_free(ranking);
}

int bench_profile_child(size_t prompts, size_t limit_mb)
{
    meter m = {0, 0};
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = THREADS;
    options.memory_limit = (uint64_t)limit_mb << 20;
    options.allocator = (sae_allocator){&m, meter_alloc, meter_free};
    sae_context *context;
    sae_error err;
    bench_check(sae_context_new(&context, &options, &err), &err);
    double start = bench_now_ms();
    saei_profile *before = new_profile(context, prompts, 0), *after = new_profile(context, prompts, 1);
    double read = bench_now_ms() - start, pairs = (double)(before->ptr[LATENTS] + after->ptr[LATENTS]);
    compare(context, before, after);
    printf("%.0f %.0f %.1f %.1f\n", read, bench_now_ms() - start - read, pairs / 1e6, (double)m.most / 1e6);
    saei_profile_free(after);
    saei_profile_free(before);
    sae_context_free(context);
    return 0;
}

static void run_child(const bench_settings *settings, size_t prompts, size_t limit_mb, const char *where)
{
    char command[128];
    double read, rank, pairs, most;
    snprintf(command, sizeof command, "exec /proc/%ld/exe " BENCH_PROFILE_CHILD " %zu %zu", (long)getpid(),
             prompts, limit_mb);
    FILE *child = popen(command, "r");
    if (child == NULL || fscanf(child, "%lf %lf %lf %lf", &read, &rank, &pairs, &most) != 4 ||
        pclose(child) != 0) {
        fprintf(stderr, "bench: the process that ranks failed: %s\n", command);
        exit(1);
    }
    size_t rows = 2 * prompts * PROMPT_ROWS;
    if (settings->json)
        printf("{\"case\":\"profile F=%d k=%d\",\"path\":\"%s\",\"threads\":%d,\"rows\":%zu,\"pairs\":%.4g,"
               "\"profile_ms\":%.0f,\"rank_ms\":%.0f,\"peak_mb\":%.1f}\n",
               LATENTS, ACTIVE, where, THREADS, rows, pairs * 1e6, read, rank, most);
    else
        printf("profile F=%d k=%d %8zu rows %6.1f M pairs  %-10s %8.0f ms + %8.0f ms  peak %8.1f MB\n",
               LATENTS, ACTIVE, rows, pairs, where, read, rank, most);
    fflush(stdout);
}

void bench_profile(const bench_settings *settings)
{
    for (size_t prompts = 1000; prompts <= (settings->quick ? 1000u : 10000u);
         prompts = prompts == 1000 ? 2500 : 2 * prompts) {
        run_child(settings, prompts, 64 << 10, "memory");
        run_child(settings, prompts, 512, "512 MB");
    }
}
