/* Ranking 2048 latents on 264 prompts: the means alone, then with the default permutations and bootstrap. */
#include "bench_sae.h"

#include "num/rows.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROMPTS = 264, PROMPT_ROWS = 16, SIDES = 2 };

typedef struct rank_arg {
    const bench_sae *sae;
    sae_dump *const *sides; /* before, after */
    uint64_t permutations;
    size_t bootstrap;
    sae_pairing pairing;
} rank_arg;

static void rank(void *arg)
{
    const rank_arg *a = arg;
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = a->permutations;
    options.bootstrap = a->bootstrap;
    options.pairing = a->pairing;
    sae_ranking *ranking;
    sae_error err;
    bench_check(sae_ranking_new(&ranking, a->sae->model, a->sides[0], a->sides[1], NULL, 0, &options, &err),
                &err);
    sae_ranking_free(ranking);
}

/* One side of the comparison. The second side moves along a row: some latents rise, most do not. */
static sae_dump *new_side(const bench_sae *sae, float *rows, int side)
{
    size_t d = sae->size.d, n = PROMPTS * PROMPT_ROWS;
    double *prompt = bench_alloc(n, sizeof *prompt);
    bench_rows(rows, n, d, 2 + (uint64_t)side);
    for (size_t r = 0; r < n; r++) {
        prompt[r] = (double)(r / PROMPT_ROWS);
        if (side == 1)
            saei_row_axpy(rows + r * d, 0.3f, sae->rows, d);
    }
    sae_dump *dump;
    sae_error err;
    bench_check(sae_dump_from_rows(&dump, sae->context, (sae_view){rows, n, d, d}, &err), &err);
    bench_check(sae_dump_add_column(dump, "prompt_id", prompt, &err), &err);
    free(prompt);
    return dump;
}

static void run_threads(const bench_settings *settings, unsigned threads)
{
    bench_sae sae = bench_sae_new(bench_size_at(settings, 0), threads);
    bench_sae_make_model(&sae);
    float *rows = bench_alloc(SIDES * PROMPTS * PROMPT_ROWS * sae.size.d, sizeof *rows);
    sae_dump *sides[SIDES];
    for (int side = 0; side < SIDES; side++)
        sides[side] = new_side(&sae, rows + (size_t)side * PROMPTS * PROMPT_ROWS * sae.size.d, side);
    rank_arg args[] = {{&sae, sides, 1, 0, SAE_PAIRED},
                       {&sae, sides, 0, 2000, SAE_PAIRED},
                       {&sae, sides, 0, 2000, SAE_UNPAIRED}};
    bench_work works[] = {{.path = "means", .run = rank, .arg = &args[0]},
                          {.path = "paired", .run = rank, .arg = &args[1]},
                          {.path = "unpaired", .run = rank, .arg = &args[2]}};
    bench_job job = {"rank 264 prompts F=2048", threads, SIDES * PROMPTS * PROMPT_ROWS, NULL, NULL};
    bench_run(settings, &job, works, sizeof works / sizeof works[0]);
    for (int side = 0; side < SIDES; side++)
        sae_dump_free(sides[side]);
    free(rows);
    bench_sae_free(&sae);
}

void bench_rank(const bench_settings *settings)
{
    for (unsigned threads = 1; threads <= 2; threads++)
        run_threads(settings, threads);
}
