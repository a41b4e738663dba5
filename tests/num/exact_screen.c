/* Screening against the exact scores of all latents on many rows:
       exact_screen d latents k rows [kernel]
   prints what it found and fails on any mismatch. */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "num/panels.h"
#include "num/screen.h"
#include "num/topk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, ROWS = 32, LANES = 16, PAIRED = 4, TILES = 8, AT_ONCE = TILES * SAEI_TILE_ROWS };

typedef struct exact_run {
    sae_context *context;
    saei_encoder encoder;
    float *x, *scratch;
    saei_code_slots screened, exact;
    saei_screen_counts counts[TILES];
} exact_run;

static void *allocate(size_t count, size_t size)
{
    void *block = aligned_alloc(64, (count * size / 64 + 1) * 64);
    if (block == NULL) {
        fprintf(stderr, "exact_screen: no memory for %zu × %zu bytes\n", count, size);
        exit(2);
    }
    return block;
}

static saei_code_slots slots_new(size_t k)
{
    return (saei_code_slots){allocate(AT_ONCE * k, sizeof(uint32_t)), allocate(AT_ONCE * k, sizeof(float)),
                             allocate(AT_ONCE, sizeof(uint32_t))};
}

static void slots_free(saei_code_slots *slots)
{
    free(slots->latent);
    free(slots->value);
    free(slots->count);
}

/* A sixteenth of the values is larger, and each vector has a magnitude of its own. */
static void fill(float *v, size_t n, size_t d, uint64_t seed)
{
    for (size_t r = 0; r < n; r++) {
        saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, r);
        float magnitude = (float)exp(0.5 * saei_rng_normal(&rng));
        for (size_t i = 0; i < d; i++) {
            uint64_t bits = saei_rng_next(&rng);
            float u = (float)(bits >> 40) * 0x1p-24f - 0.5f;
            v[r * d + i] = magnitude * u * (bits % 16 == 0 ? 4.0f : 1.0f);
        }
    }
}

static void encode_tile(void *arg, size_t tile, unsigned worker)
{
    exact_run *run = arg;
    const saei_encoder *e = &run->encoder;
    saei_encode_tile(run->screened, e, run->x, tile * SAEI_TILE_ROWS, SAEI_TILE_ROWS,
                     run->scratch + worker * saei_encoder_scratch(e->d, e->n_latents, e->k, true),
                     &run->counts[tile]);
}

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef lanes loaded_lanes __attribute__((aligned(4), may_alias));

/* docs/METHODS.md: lane l sums elements l, l + 16, …; then lanes 8 apart are added, 4 apart, 2 apart, the
 * last two. */
static float sum_of_lanes(const lanes *lane)
{
    lanes sum = *lane;
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            sum[l] += sum[l + apart];
    return sum[0];
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("avx512f", "default")))
#else
#define CLONES
#endif

/* The stated order again, written for the throughput of many pairs. */
CLONES static void score_pairs(float out[PAIRED][PAIRED], const float *x, const float *W, size_t d)
{
    lanes sum[PAIRED][PAIRED] = {{{0}}};
    for (size_t i = 0; i < d; i += LANES)
        for (size_t r = 0; r < PAIRED; r++)
            for (size_t j = 0; j < PAIRED; j++)
                sum[r][j] += *(const loaded_lanes *)(x + r * d + i) * *(const loaded_lanes *)(W + j * d + i);
    for (size_t r = 0; r < PAIRED; r++)
        for (size_t j = 0; j < PAIRED; j++)
            out[r][j] = sum_of_lanes(&sum[r][j]);
}

static void score_block(float scores[ROWS][BLOCK], const saei_encoder *e, const float *x, size_t first)
{
    float of_pairs[PAIRED][PAIRED];
    for (size_t j = 0; j < BLOCK; j += PAIRED)
        for (size_t r = 0; r < ROWS; r += PAIRED) {
            score_pairs(of_pairs, x + r * e->d, e->W_enc + (first + j) * e->d, e->d);
            for (size_t p = 0; p < PAIRED * PAIRED; p++)
                scores[r + p / PAIRED][j + p % PAIRED] =
                    of_pairs[p / PAIRED][p % PAIRED] + e->b_enc[first + j + p % PAIRED];
        }
}

/* Some rows at once: the weights come from memory once for them. */
static void encode_exactly(void *arg, size_t task, unsigned worker)
{
    exact_run *run = arg;
    const saei_encoder *e = &run->encoder;
    float scores[ROWS][BLOCK];
    size_t first_row = task * ROWS;
    (void)worker;
    memset(run->exact.count + first_row, 0, ROWS * sizeof *run->exact.count);
    for (size_t first = 0; first < e->n_latents; first += BLOCK) {
        score_block(scores, e, run->x + first_row * e->d, first);
        for (size_t r = 0; r < ROWS; r++) {
            size_t row = first_row + r;
            saei_topk top = {run->exact.value + row * e->k, run->exact.latent + row * e->k, e->k,
                             run->exact.count[row], 0.0f};
            saei_topk_offer(&top, scores[r], BLOCK, (uint32_t)first);
            run->exact.count[row] = (uint32_t)top.n;
        }
    }
}

static size_t count_mismatches(const exact_run *run)
{
    size_t mismatches = 0, k = run->encoder.k;
    for (size_t r = 0; r < AT_ONCE; r++) {
        size_t n = run->exact.count[r];
        mismatches +=
            n != run->screened.count[r] ||
            memcmp(run->exact.latent + r * k, run->screened.latent + r * k, n * sizeof(uint32_t)) != 0 ||
            memcmp(run->exact.value + r * k, run->screened.value + r * k, n * sizeof(float)) != 0;
    }
    return mismatches;
}

static bool run_rows(exact_run *run, size_t rows)
{
    const saei_encoder *e = &run->encoder;
    size_t done = 0, mismatches = 0;
    saei_screen_counts sum = {0};
    for (; done < rows; done += AT_ONCE) {
        fill(run->x, AT_ONCE, e->d, 7 + done);
        saei_parallel_for(run->context, TILES, encode_tile, run);
        saei_parallel_for(run->context, AT_ONCE / ROWS, encode_exactly, run);
        mismatches += count_mismatches(run);
    }
    for (size_t t = 0; t < TILES; t++) {
        sum.rows += run->counts[t].rows;
        sum.candidates += run->counts[t].candidates;
        sum.overflows += run->counts[t].overflows;
    }
    printf("d=%zu F=%zu k=%zu %s: rows %zu, candidates per row %.2f, overflows %zu, mismatches %zu\n", e->d,
           e->n_latents, e->k, saei_panels_kernel(e->panels)->name, (size_t)sum.rows,
           (double)sum.candidates / (double)sum.rows, (size_t)sum.overflows, mismatches);
    return mismatches == 0;
}

static const saei_screen_kernel *kernel_named(const char *name)
{
    const saei_screen_kernel *kernel;
    for (size_t i = 0; (kernel = saei_screen_kernel_at(i)) != NULL; i++)
        if (strcmp(kernel->name, name) == 0)
            return kernel;
    fprintf(stderr, "exact_screen: no kernel %s on this machine\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: exact_screen d latents k rows [kernel]\n");
        return 2;
    }
    size_t d = strtoul(argv[1], NULL, 10), n_latents = strtoul(argv[2], NULL, 10);
    size_t k = strtoul(argv[3], NULL, 10), rows = strtoul(argv[4], NULL, 10);
    if (d % LANES != 0 || n_latents % BLOCK != 0) {
        fprintf(stderr, "exact_screen: d must be a multiple of %d and latents of %d\n", LANES, BLOCK);
        return 2;
    }
    float *W = allocate(n_latents * d, sizeof *W), *b = allocate(n_latents, sizeof *b);
    fill(W, n_latents, d, 3);
    fill(b, 1, n_latents, 4);
    exact_run run = {
        .x = allocate(AT_ONCE * d, sizeof *run.x), .screened = slots_new(k), .exact = slots_new(k)};
    saei_panels *panels;
    if (sae_context_new(&run.context, NULL, NULL) != SAE_OK ||
        saei_panels_new(&panels, run.context, d, n_latents, argc > 5 ? kernel_named(argv[5]) : NULL, NULL) !=
            SAE_OK)
        return 2;
    saei_panels_pack(panels, 0, n_latents, W);
    run.encoder = (saei_encoder){d, n_latents, k, W, b, NULL, panels};
    run.scratch = allocate(saei_encoder_scratch(d, n_latents, k, true) * sae_context_threads(run.context),
                           sizeof *run.scratch);
    bool exact = run_rows(&run, rows);
    free(run.scratch);
    saei_panels_free(panels);
    sae_context_free(run.context);
    slots_free(&run.screened);
    slots_free(&run.exact);
    free(run.x);
    free(W);
    free(b);
    return exact ? EXIT_SUCCESS : EXIT_FAILURE;
}
