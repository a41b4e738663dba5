/* What the files of the objective share. */
#ifndef SAEI_OBJECTIVE_INSIDE_H
#define SAEI_OBJECTIVE_INSIDE_H

#include "base/memory.h"
#include "train/objective.h"

/* Latents of one product when codes are dense, and latents of one block of its forward pass. Fixed, as the
   number of slices is: sums must not depend on the thread count. */
enum { SAEI_DENSE_LATENTS = 128, SAEI_DENSE_BLOCK = 512, SAEI_SLICES = 64 };

/* What the tasks of a pass need. */
typedef struct saei_objective_job {
    saei_objective *o;
    const saei_parameters *p;
    const saei_penalty *penalty;
    size_t rows;
    float scale;   /* s */
    float e_scale; /* ∂R/∂x̂ = e_scale · E */
    const saei_gradient_receiver *receiver;
} saei_objective_job;

/* Sums over a tile of rows: R and reconstruction, both before 1/B, then Σ E_1 and Σ e_gate over the rows [d
 * each]. */
enum { SAEI_SUM_LOSS, SAEI_SUM_RECONSTRUCTION, SAEI_SUM_GATE, SAEI_SUM_ACTIVE, SAEI_SUM_VECTORS };

static inline size_t saei_objective_tile_sums(const saei_objective *o)
{
    return SAEI_SUM_VECTORS + 2 * o->settings.d;
}

static inline size_t saei_objective_tiles(size_t rows)
{
    return (rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS;
}

/* Tasks of the passes over latents. */
static inline size_t saei_objective_parts(const saei_objective *o)
{
    size_t n = o->settings.n_latents;
    return o->dense ? (n + SAEI_DENSE_LATENTS - 1) / SAEI_DENSE_LATENTS : SAEI_SLICES;
}

/* First latent of a slice: slices are the same whatever the thread count, and whole panels of the sweep. */
static inline size_t saei_slice_start(const saei_objective *o, size_t slice)
{
    size_t panels = (o->settings.n_latents + SAEI_SWEEP_LATENTS - 1) / SAEI_SWEEP_LATENTS;
    return saei_min_size(panels * slice / SAEI_SLICES * SAEI_SWEEP_LATENTS, o->settings.n_latents);
}

/* Row r of E for group g. */
static inline float *saei_residual(const saei_objective *o, size_t r, size_t group)
{
    return o->e + (r * o->settings.n_groups + group) * o->settings.d;
}

/* The pre-activation that a value of latent j in the codes stands for. */
static inline float saei_pre_of_value(const saei_objective *o, float value, size_t j)
{
    return o->selection.norm != NULL ? value / o->selection.norm[j] : value;
}

/* decoder_norm is 0 where the penalty does not use it. */
saei_latent saei_objective_latent(const saei_objective_job *job, size_t j);

/* Constants of the row's residuals before anything is decoded: s x − b_dec. */
void saei_objective_start_row(const saei_objective_job *job, size_t r);

/* Adds the squared residuals of row r, which are complete, to the sums of its tile. */
void saei_objective_finish_row(const saei_objective_job *job, size_t r, double *sums);

/* Complete the gradient of latent j's row of W_dec, or of its row of W_enc with b_enc and extras, from what
   its entries gave (g [d]), and hand it out. Return its squared norm. The decoder's row comes first. */
double saei_objective_finish_decoder(const saei_objective_job *job, size_t j, float *g);
double saei_objective_finish_encoder(const saei_objective_job *job, size_t j, float *g);

/* Makes what is encoded by follow the weights of latents first .. end - 1, whole panels. */
void saei_objective_pack_latents(const saei_objective *o, const saei_parameters *parameters, size_t first,
                                 size_t end);

/* The same after the receiver has seen them. */
void saei_objective_repack(const saei_objective_job *job, size_t first, size_t end);

/* Floats of scratch for one worker of a pass over rows, and of one over latents. */
size_t saei_objective_tile_floats(const saei_objective_settings *settings);
size_t saei_objective_part_floats(const saei_objective_settings *settings);

/* The passes for dense codes, in place of the sparse ones (dense.c). */
void saei_dense_forward(const saei_objective_job *job);
void saei_dense_sweep(const saei_objective_job *job);

#endif
