/* The passes when codes are dense, as those of a ReLU SAE are at first: products of blocks of latents. What
   would be [B, F] is made twice, once by rows for the residuals and once by latents for the gradient, and
   never kept. */
#include "base/parallel.h"
#include "num/blas.h"
#include "num/rows.h"
#include "train/objective_inside.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

static float activate(const saei_objective_job *job, float pre, size_t j)
{
    const saei_architecture *a = job->o->settings.architecture;
    float floor = a->floors != NULL ? job->o->floor[j] : 0.0f;
    if (!(pre > floor))
        return 0.0f;
    return a->activate != NULL ? a->activate(pre, job->p, j) : pre;
}

/* f [rows, n] of latents first …, from z in place; gate: relu(π) or NULL. Returns how many fire. */
static uint64_t activate_block(const saei_objective_job *job, float *f, float *gate, size_t rows,
                               size_t first, size_t n)
{
    uint64_t active = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            float pre = f[r * n + i] + job->p->b_enc[first + i];
            if (gate != NULL)
                gate[r * n + i] = pre > 0.0f ? pre : 0.0f;
            f[r * n + i] = activate(job, pre, first + i);
            if (f[r * n + i] != 0.0f) {
                active++;
                atomic_store_explicit(&job->o->fired[first + i], 1, memory_order_relaxed);
            }
        }
    return active;
}

static void add_powers(const saei_objective_job *job, const float *f, size_t first, size_t rows, size_t n)
{
    const saei_row_powers *powers = &job->o->powers;
    for (size_t r = 0; r < rows; r++)
        saei_row_powers_add(powers, first + r, f + r * n, n, job->penalty);
}

static void forward_task(void *arg, size_t tile, unsigned worker)
{
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    size_t d = o->settings.d, first = tile * SAEI_TILE_ROWS;
    size_t rows = saei_min_size(SAEI_TILE_ROWS, job->rows - first);
    float *f = o->tile_floats + worker * saei_objective_tile_floats(&o->settings);
    float *gate = o->e_gate != NULL ? f + SAEI_TILE_ROWS * SAEI_DENSE_BLOCK : NULL;
    double *sums = o->tile_sums + tile * saei_objective_tile_sums(o);
    memset(sums, 0, saei_objective_tile_sums(o) * sizeof *sums);
    bool root = saei_row_powers_wanted(&o->powers, job->penalty);
    for (size_t r = first; r < first + rows; r++) {
        saei_objective_start_row(job, r);
        if (root)
            saei_row_powers_start(&o->powers, r);
    }
    for (size_t j = 0; j < o->settings.n_latents; j += SAEI_DENSE_BLOCK) {
        size_t n = saei_min_size(SAEI_DENSE_BLOCK, o->settings.n_latents - j);
        saei_blas_gemm(f, o->xc + first * d, job->p->W_enc + j * d, d, true, rows, n, d);
        sums[SAEI_SUM_ACTIVE] += (double)activate_block(job, f, gate, rows, j, n);
        if (root)
            add_powers(job, f, first, rows, n);
        saei_blas_gemm_subtract(saei_residual(o, first, 0), f, job->p->W_dec + j * d, rows, d, n);
        if (gate != NULL)
            saei_blas_gemm_subtract(o->e_gate + first * d, gate, job->p->W_dec + j * d, rows, d, n);
    }
    for (size_t r = first; r < first + rows; r++) {
        saei_objective_finish_row(job, r, sums);
        if (root)
            saei_row_powers_finish(&o->powers, r, job->penalty);
    }
}

void saei_dense_forward(const saei_objective_job *job)
{
    const saei_objective *o = job->o;
    for (size_t j = 0; j < o->settings.n_latents; j++)
        atomic_store_explicit(&o->fired[j], 0, memory_order_relaxed);
    saei_blas_begin();
    saei_parallel_for(o->context, saei_objective_tiles(job->rows), forward_task, (void *)(uintptr_t)job);
}

/* Blocks of latents [n, B] and their gradients [n, d], in the scratch of a worker. */
typedef struct block {
    float *value, *g, *gate_value, *gate_g, *g_enc, *g_dec;
    size_t first, n;
} block;

static block block_at(const saei_objective *o, size_t task, unsigned worker)
{
    size_t B = o->settings.batch_rows, d = o->settings.d, matrix = SAEI_DENSE_LATENTS * B;
    block b = {.first = task * SAEI_DENSE_LATENTS};
    b.n = saei_min_size(SAEI_DENSE_LATENTS, o->settings.n_latents - b.first);
    b.g_enc = o->part_floats + worker * saei_objective_part_floats(&o->settings);
    b.g_dec = b.g_enc + SAEI_DENSE_LATENTS * d;
    b.value = b.g_dec + SAEI_DENSE_LATENTS * d;
    b.g = b.value + matrix;
    b.gate_value = b.g + matrix;
    b.gate_g = b.gate_value + matrix;
    return b;
}

static void scale_values(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* value = pre, g = ∂R/∂f [n, B] */
static void fill_block(const saei_objective_job *job, const block *b)
{
    const saei_objective *o = job->o;
    size_t B = job->rows, d = o->settings.d;
    const float *w_dec = job->p->W_dec + b->first * d;
    saei_blas_gemm(b->value, job->p->W_enc + b->first * d, o->xc, d, true, b->n, B, d);
    saei_blas_gemm(b->g, w_dec, o->e, d, true, b->n, B, d);
    scale_values(b->g, b->n * B, job->e_scale);
    for (size_t j = 0; j < b->n; j++)
        for (size_t r = 0; r < B; r++)
            b->value[j * B + r] += job->p->b_enc[b->first + j];
    if (o->e_gate == NULL)
        return;
    saei_blas_gemm(b->gate_g, w_dec, o->e_gate, d, true, b->n, B, d);
    scale_values(b->gate_g, b->n * B, job->e_scale);
}

/* Values, and entries below the floor made those of a silent latent. */
static void backward_block(const saei_objective_job *job, const block *b)
{
    const saei_objective *o = job->o;
    size_t B = job->rows;
    for (size_t j = 0; j < b->n; j++) {
        saei_latent_entries entries = {.n = B,
                                       .value = b->value + j * B,
                                       .g = b->g + j * B,
                                       .gate_value = b->gate_value + j * B,
                                       .gate_g = b->gate_g + j * B,
                                       .row_slope = o->powers.slope};
        saei_latent latent = saei_objective_latent(job, b->first + j);
        saei_latent_sums *sums = &o->latent_sums[b->first + j];
        *sums = (saei_latent_sums){0};
        o->settings.architecture->backward(&entries, sums, &latent, job->penalty);
    }
}

static void gradient_block(const saei_objective_job *job, const block *b)
{
    const saei_objective *o = job->o;
    size_t B = job->rows, d = o->settings.d;
    saei_blas_gemm(b->g_enc, b->g, o->xc, d, false, b->n, d, B);
    scale_values(b->value, b->n * B, -job->e_scale);
    memset(b->g_dec, 0, b->n * d * sizeof *b->g_dec);
    saei_blas_gemm_subtract(b->g_dec, b->value, o->e, b->n, d, B);
    if (o->e_gate == NULL || o->settings.detached_gate)
        return;
    scale_values(b->gate_value, b->n * B, -job->e_scale);
    saei_blas_gemm_subtract(b->g_dec, b->gate_value, o->e_gate, b->n, d, B);
}

static void sweep_task(void *arg, size_t task, unsigned worker)
{
    const saei_objective_job *job = arg;
    const saei_objective *o = job->o;
    block b = block_at(o, task, worker);
    double norm2 = 0.0;
    float *b_dec = o->part_b_dec + task * o->settings.d;
    memset(b_dec, 0, o->settings.d * sizeof *b_dec);
    fill_block(job, &b);
    backward_block(job, &b);
    gradient_block(job, &b);
    for (size_t j = 0; j < b.n; j++) {
        saei_row_axpy(b_dec, (float)-o->latent_sums[b.first + j].pre,
                      job->p->W_enc + (b.first + j) * o->settings.d, o->settings.d);
        norm2 += saei_objective_finish_decoder(job, b.first + j, b.g_dec + j * o->settings.d);
        norm2 += saei_objective_finish_encoder(job, b.first + j, b.g_enc + j * o->settings.d);
    }
    saei_objective_repack(job, b.first, b.first + b.n);
    o->part_norm2[task] = norm2;
}

void saei_dense_sweep(const saei_objective_job *job)
{
    const saei_objective *o = job->o;
    saei_blas_begin();
    saei_parallel_for(o->context, saei_objective_parts(o), sweep_task, (void *)(uintptr_t)job);
}
