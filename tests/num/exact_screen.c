/* Screening against the exact scores of all latents on many rows:
       exact_screen d latents k rows [first row]
   prints what it found and fails on any mismatch. Rows are made from their numbers, so that a later run can
   go on where one ended.

   A score in its stated order and the same score by BLAS, in whatever order, are both within (d + 2) u ‖x‖
   ‖w‖ of the product (u = 2⁻²⁴; the bias adds a rounding). So the k largest by the stated order are among
   those that BLAS puts within four times that of its own k-th, and only these are scored in the stated order
   here. */
#include "base/memory.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "num/blas.h"
#include "num/panels.h"
#include "num/rows.h"
#include "num/screen.h"
#include "num/topk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = SAEI_TILE_ROWS, BLOCK = 2048, LANES = 16, TILES = 8, AT_ONCE = TILES * ROWS, NEAR = 8192 };

/* Latents that are copies of one another, and one row in so many that they fit best: more than screening has
   room for. Every eighth lot of rows is screened in wide numbers too. */
enum { COPIES = 400, FITTING = 2000, WIDE_LOTS = 8 };

/* Latents of a row that may be among its k largest. */
typedef struct near_list {
    size_t n;
    uint32_t latent[NEAR];
    float score[NEAR];
} near_list;

typedef struct exact_run {
    sae_context *context;
    saei_encoder encoder;
    saei_panels *panels; /* the encoder's */
    saei_encode_workers workers;
    float *x, *scores; /* scores [workers, ROWS, BLOCK] */
    near_list *near;   /* [workers, ROWS] */
    float norm_max, bias_max;
    saei_code_slots screened, exact;
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

/* Vectors first .. first + n - 1. A sixteenth of the values is larger, and each vector has a magnitude of its
 * own. */
static void fill(float *v, size_t n, size_t d, uint64_t seed, size_t first)
{
    for (size_t r = 0; r < n; r++) {
        saei_rng rng = saei_rng_new(seed, SAEI_STREAM_INIT, first + r);
        float magnitude = (float)exp(0.5 * saei_rng_normal(&rng));
        for (size_t i = 0; i < d; i++) {
            uint64_t bits = saei_rng_next(&rng);
            float u = (float)(bits >> 40) * 0x1p-24f - 0.5f;
            v[r * d + i] = magnitude * u * (bits % 16 == 0 ? 4.0f : 1.0f);
        }
    }
}

static void fill_rows(exact_run *run, size_t first)
{
    size_t d = run->encoder.d;
    fill(run->x, AT_ONCE, d, 7, first);
    for (size_t r = 0; r < AT_ONCE; r++)
        if ((first + r) % FITTING == 0)
            saei_row_axpy(run->x + r * d, 10.0f, run->encoder.W_enc, d);
}

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef lanes loaded_lanes __attribute__((aligned(4), may_alias));

/* docs/METHODS.md: lane l sums elements l, l + 16, …; then lanes 8 apart are added, 4 apart, 2 apart, the
 * last two. */
static float stated_dot(const float *x, const float *w, size_t d)
{
    lanes sum = {0};
    for (size_t i = 0; i < d; i += LANES)
        sum += *(const loaded_lanes *)(x + i) * *(const loaded_lanes *)(w + i);
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            sum[l] += sum[l + apart];
    return sum[0];
}

/* Of the scores of a block and those that were near before it, the ones that still are. */
static void keep_near(near_list *near, saei_topk *top, const float *scores, size_t n, size_t first,
                      float margin)
{
    saei_topk_offer(top, scores, n, (uint32_t)first);
    float least = -INFINITY;
    for (size_t i = 0; i < top->n && top->n == top->k; i++)
        least = i == 0 || top->score[i] < least ? top->score[i] : least;
    size_t kept = 0;
    for (size_t i = 0; i < near->n; i++)
        if (near->score[i] >= least - margin) {
            near->latent[kept] = near->latent[i];
            near->score[kept++] = near->score[i];
        }
    for (size_t i = 0; i < n; i++)
        if (scores[i] >= least - margin) {
            if (kept == NEAR) {
                fprintf(stderr, "exact_screen: more than %d latents near the k-th of a row\n", NEAR);
                exit(2);
            }
            near->latent[kept] = (uint32_t)(first + i);
            near->score[kept++] = scores[i];
        }
    near->n = kept;
}

static void find_near(const exact_run *run, size_t first_row, unsigned worker)
{
    const saei_encoder *e = &run->encoder;
    const double u = 0x1p-24;
    near_list *near = run->near + worker * ROWS;
    float *scores = run->scores + worker * ROWS * BLOCK, *value = allocate(ROWS * e->k, sizeof *value);
    uint32_t *latent = allocate(ROWS * e->k, sizeof *latent);
    size_t found[ROWS] = {0};
    for (size_t r = 0; r < ROWS; r++)
        near[r].n = 0;
    for (size_t first = 0; first < e->n_latents; first += BLOCK) {
        saei_blas_gemm(scores, run->x + first_row * e->d, e->W_enc + first * e->d, e->d, true, ROWS, BLOCK,
                       e->d);
        for (size_t r = 0; r < ROWS; r++) {
            double size = sqrt(saei_row_norm2(run->x + (first_row + r) * e->d, e->d)) * (double)run->norm_max;
            float margin = (float)(4.1 * u * ((double)(e->d + 2) * size + 4.0 * (double)run->bias_max));
            saei_topk top = {value + r * e->k, latent + r * e->k, e->k, found[r], -INFINITY};
            saei_row_axpy(scores + r * BLOCK, 1.0f, e->b_enc + first, BLOCK);
            keep_near(near + r, &top, scores + r * BLOCK, BLOCK, first, margin);
            found[r] = top.n;
        }
    }
    free(value);
    free(latent);
}

static void encode_exactly(void *arg, size_t tile, unsigned worker)
{
    exact_run *run = arg;
    const saei_encoder *e = &run->encoder;
    find_near(run, tile * ROWS, worker);
    for (size_t r = 0; r < ROWS; r++) {
        near_list *near = run->near + worker * ROWS + r;
        size_t row = tile * ROWS + r;
        saei_topk top = {run->exact.value + row * e->k, run->exact.latent + row * e->k, e->k, 0, 0.0f};
        for (size_t i = 0; i < near->n; i++) {
            uint32_t j = near->latent[i];
            float score = stated_dot(run->x + row * e->d, e->W_enc + j * e->d, e->d) + e->b_enc[j];
            saei_topk_offer(&top, &score, 1, j);
        }
        run->exact.count[row] = (uint32_t)top.n;
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

/* Screens the rows from where those that are counted have ended, and counts them too. Returns the mismatches.
 */
static size_t screen(exact_run *run, bool bytes, saei_screen_counts *sum)
{
    const saei_encoder *e = &run->encoder;
    if (saei_panels_in_bytes(run->panels) != bytes) {
        saei_panels_use_bytes(run->panels, bytes);
        saei_panels_pack(run->panels, 0, e->n_latents, e->W_enc);
    }
    run->encoder.start = saei_screen_start(sum->ends);
    saei_screen_counts counts;
    saei_encode_rows(run->screened, e, run->x, AT_ONCE, &run->workers, &counts);
    saei_screen_counts_add(sum, &counts, 1);
    return count_mismatches(run);
}

static void print_counts(const char *path, const saei_screen_counts *c, size_t mismatches)
{
    double rows = (double)c->rows;
    printf("%s: rows %zu, refined %.1f and candidates %.2f a row, screened again %zu, overflows %zu, "
           "mismatches %zu\n",
           path, (size_t)c->rows, (double)c->refined / rows, (double)c->candidates / rows,
           (size_t)c->restarted, (size_t)c->overflows, mismatches);
    fflush(stdout);
}

static bool run_rows(exact_run *run, size_t rows, size_t first, bool has_bytes)
{
    const saei_encoder *e = &run->encoder;
    size_t mismatches[2] = {0};
    saei_screen_counts sums[2] = {{0}};
    printf("d %zu, F %zu, k %zu, %s, rows from %zu on\n", e->d, e->n_latents, e->k,
           saei_panels_kernel(e->panels)->name, first);
    for (size_t lot = 0; lot * AT_ONCE < rows; lot++) {
        fill_rows(run, first + lot * AT_ONCE);
        saei_blas_begin();
        saei_parallel_for(run->context, TILES, encode_exactly, run);
        if (has_bytes)
            mismatches[1] += screen(run, true, &sums[1]);
        if (!has_bytes || lot % WIDE_LOTS == 0)
            mismatches[0] += screen(run, false, &sums[0]);
        if ((lot + 1) % 32 == 0 || (lot + 1) * AT_ONCE >= rows) {
            print_counts("wide ", &sums[0], mismatches[0]);
            if (has_bytes)
                print_counts("bytes", &sums[1], mismatches[1]);
        }
    }
    return mismatches[0] + mismatches[1] == 0;
}

static float largest_norm(const float *W, size_t n, size_t d)
{
    double largest = 0.0;
    for (size_t j = 0; j < n; j++)
        largest = fmax(largest, sqrt(saei_row_norm2(W + j * d, d)));
    return (float)largest;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: exact_screen d latents k rows [first row]\n");
        return 2;
    }
    size_t d = strtoul(argv[1], NULL, 10), n_latents = strtoul(argv[2], NULL, 10);
    size_t k = strtoul(argv[3], NULL, 10), rows = strtoul(argv[4], NULL, 10);
    size_t first = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    if (d % LANES != 0 || n_latents % BLOCK != 0) {
        fprintf(stderr, "exact_screen: d must be a multiple of %d and latents of %d\n", LANES, BLOCK);
        return 2;
    }
    float *W = allocate(n_latents * d, sizeof *W), *b = allocate(n_latents, sizeof *b);
    fill(W, n_latents, d, 3, 0);
    fill(b, 1, n_latents, 4, 0);
    for (size_t i = 1; i < COPIES; i++) {
        size_t j = i * (n_latents / COPIES);
        memcpy(W + j * d, W, d * sizeof *W);
        b[j] = b[0];
    }
    exact_run run = {
        .x = allocate(AT_ONCE * d, sizeof *run.x), .screened = slots_new(k), .exact = slots_new(k)};
    saei_panels *panels;
    if (sae_context_new(&run.context, NULL, NULL) != SAE_OK ||
        saei_panels_new(&panels, run.context, d, n_latents, NULL, NULL) != SAE_OK)
        return 2;
    saei_panels_pack(panels, 0, n_latents, W);
    run.panels = panels;
    run.encoder = (saei_encoder){d, n_latents, k, W, b, NULL, panels, 0.0f};
    run.norm_max = largest_norm(W, n_latents, d);
    for (size_t j = 0; j < n_latents; j++)
        run.bias_max = fmaxf(run.bias_max, fabsf(b[j]));
    unsigned threads = sae_context_threads(run.context);
    size_t scratch_floats = saei_encoder_scratch(d, n_latents, k, true);
    run.workers = (saei_encode_workers){run.context,
                                        ROWS,
                                        scratch_floats,
                                        allocate(scratch_floats * threads, sizeof(float)),
                                        allocate(threads, sizeof(saei_screen_counts)),
                                        {allocate(AT_ONCE * d, sizeof(float)), AT_ONCE * d * sizeof(float)}};
    run.scores = allocate((size_t)threads * ROWS * BLOCK, sizeof *run.scores);
    run.near = allocate((size_t)threads * ROWS, sizeof *run.near);
    bool exact = run_rows(&run, rows, first, saei_panels_kernel(panels)->bytes != NULL);
    free(run.workers.scratch);
    free(run.workers.counts);
    free(run.workers.room.first);
    free(run.scores);
    free(run.near);
    saei_panels_free(panels);
    sae_context_free(run.context);
    slots_free(&run.screened);
    slots_free(&run.exact);
    free(run.x);
    free(W);
    free(b);
    return exact ? EXIT_SUCCESS : EXIT_FAILURE;
}
