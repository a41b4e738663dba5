/* For each latent and model m, with d the longer of the latent's two decoder rows,
     β = argmin Σ_rows ‖Y − β f d‖² = Σ_rows f (d · Y) / (‖d‖² Σ_rows f²),
   Y the error x − x̂ + f d_m or the latents' part x̂ − b_dec (Minder et al. 2025, "Overcoming sparsity
   artifacts in crosscoders to interpret chat-tuning"). The restored f d_m adds (d · d_m) / ‖d‖² whatever the
   rows are, so that one pass sums all four. */
#include "diff/latent_scaling.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "model/model.h"

#include <math.h>

enum { BEFORE, AFTER, MODELS };

typedef struct projections {
    double error[MODELS], reconstruction[MODELS]; /* f d · (x − x̂), f d · (x̂ − b_dec) */
} projections;

struct saei_latent_scaling {
    sae_context *context;
    const sae_model *model;
    size_t d, n_latents; /* width of one model */
    double *f2;          /* [F] Σ f² */
    uint64_t *fires;     /* [F] */
    projections *sums;   /* [F] */
    unsigned char *own;  /* [F] the model with the longer decoder row */
    projections *entry;  /* [capacity] of the entries of a block */
    size_t capacity;
};

static double dot(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static const float *decoder(const saei_latent_scaling *s, size_t latent, size_t of)
{
    return s->model->W_dec + (2 * latent + of) * s->d;
}

static void choose_sides(saei_latent_scaling *s)
{
    for (size_t j = 0; j < s->n_latents; j++) {
        const float *before = decoder(s, j, BEFORE), *after = decoder(s, j, AFTER);
        s->own[j] = dot(after, after, s->d) >= dot(before, before, s->d) ? AFTER : BEFORE;
    }
}

sae_status saei_latent_scaling_new(saei_latent_scaling **out, const sae_model *model, sae_error *err)
{
    *out = NULL;
    sae_context *context = model->context;
    size_t F = sae_model_latents(model);
    saei_latent_scaling *s;
    sae_status status = saei_alloc(&s, context, 1, sizeof *s, err);
    if (status != SAE_OK)
        return status;
    *s = (saei_latent_scaling){
        .context = context, .model = model, .d = sae_model_dim(model) / 2, .n_latents = F};
    status = saei_alloc(&s->f2, context, F, sizeof *s->f2, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->fires, context, F, sizeof *s->fires, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->sums, context, F, sizeof *s->sums, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->own, context, F, 1, err);
    if (status != SAE_OK) {
        saei_latent_scaling_free(s);
        return status;
    }
    choose_sides(s);
    *out = s;
    return SAE_OK;
}

void saei_latent_scaling_free(saei_latent_scaling *s)
{
    if (s == NULL)
        return;
    saei_free(s->context, s->entry);
    saei_free(s->context, s->own);
    saei_free(s->context, s->sums);
    saei_free(s->context, s->fires);
    saei_free(s->context, s->f2);
    saei_free(s->context, s);
}

static projections project(const saei_latent_scaling *s, size_t latent, double f, const float *x,
                           const float *xhat)
{
    const float *direction = decoder(s, latent, s->own[latent]), *b_dec = s->model->b_dec;
    projections p = {{0}, {0}};
    for (size_t m = 0; m < MODELS; m++) {
        const float *row = x + m * s->d, *rebuilt = xhat + m * s->d, *bias = b_dec + m * s->d;
        double error = 0, reconstruction = 0;
        for (size_t i = 0; i < s->d; i++) {
            double along = (double)direction[i], part = (double)rebuilt[i];
            error += along * ((double)row[i] - part);
            reconstruction += along * (part - (double)bias[i]);
        }
        p.error[m] = f * error;
        p.reconstruction[m] = f * reconstruction;
    }
    return p;
}

typedef struct chunk_task {
    const saei_latent_scaling *scaling;
    const saei_block *block;
} chunk_task;

static void project_chunk(void *arg, size_t chunk, unsigned worker)
{
    (void)worker;
    const chunk_task *task = arg;
    const saei_latent_scaling *s = task->scaling;
    const saei_block *block = task->block;
    const sae_codes_view *codes = &block->codes;
    size_t first = chunk * SAEI_CHUNK_ROWS, end = saei_min_size(first + SAEI_CHUNK_ROWS, block->x.rows);
    for (size_t r = first; r < end; r++) {
        const float *x = block->x.data + r * block->x.stride, *xhat = block->xhat + r * block->x.cols;
        for (uint64_t i = codes->row_ptr[r]; i < codes->row_ptr[r + 1]; i++)
            s->entry[i] = project(s, codes->latent[i], (double)codes->value[i], x, xhat);
    }
}

/* Entries are added in the order of the rows, so that sums do not depend on the threads. */
static void add_entries(saei_latent_scaling *s, const sae_codes_view *codes)
{
    for (uint64_t i = 0; i < codes->row_ptr[codes->rows]; i++) {
        size_t j = codes->latent[i];
        double f = (double)codes->value[i];
        s->f2[j] += f * f;
        s->fires[j]++;
        for (size_t m = 0; m < MODELS; m++) {
            s->sums[j].error[m] += s->entry[i].error[m];
            s->sums[j].reconstruction[m] += s->entry[i].reconstruction[m];
        }
    }
}

sae_status saei_latent_scaling_observe(void *user, const saei_block *block, sae_error *err)
{
    saei_latent_scaling *s = user;
    size_t entries = (size_t)block->codes.row_ptr[block->codes.rows];
    if (entries > s->capacity) {
        sae_status status = saei_grow(&s->entry, s->context, s->capacity, entries, sizeof *s->entry, err);
        if (status != SAE_OK)
            return status;
        s->capacity = entries;
    }
    size_t chunks = (block->x.rows + SAEI_CHUNK_ROWS - 1) / SAEI_CHUNK_ROWS;
    saei_parallel_for(s->context, chunks, project_chunk, &(chunk_task){s, block});
    add_entries(s, &block->codes);
    return SAE_OK;
}

/* NaN compares false: a latent without a number is not said to be exclusive. */
static sae_cross_kind kind_of(const sae_cross_latent *l, const sae_cross_options *o)
{
    if (l->fires == 0 || isnan(l->relative_norm))
        return SAE_CROSS_UNDECIDED;
    bool after = l->delta_norm<o->exclusive, before = l->delta_norm> 1 - o->exclusive;
    if (!after && !before)
        return l->relative_norm >= o->shared_low && l->relative_norm <= o->shared_high ? SAE_CROSS_SHARED
                                                                                       : SAE_CROSS_BETWEEN;
    if (isnan(l->nu_error) || isnan(l->nu_reconstruction))
        return SAE_CROSS_UNDECIDED;
    if (l->nu_error >= o->nu_error)
        return SAE_CROSS_SHRUNK;
    if (l->nu_reconstruction >= o->nu_reconstruction)
        return SAE_CROSS_DECOUPLED;
    return after ? SAE_CROSS_AFTER_ONLY : SAE_CROSS_BEFORE_ONLY;
}

static double ratio(const double beta[MODELS], size_t own)
{
    return beta[own] > 0 ? beta[1 - own] / beta[own] : (double)NAN;
}

static sae_cross_latent describe(const saei_latent_scaling *s, size_t j, const sae_cross_options *o)
{
    size_t own = s->own[j];
    const float *direction = decoder(s, j, own);
    double norm[MODELS], error[MODELS], reconstruction[MODELS], d2 = dot(direction, direction, s->d);
    for (size_t m = 0; m < MODELS; m++) {
        const float *row = decoder(s, j, m);
        double scale = d2 * s->f2[j]; /* 0 for a latent that never fires: 0 / 0 is NaN */
        norm[m] = sqrt(dot(row, row, s->d));
        error[m] = s->sums[j].error[m] / scale + dot(direction, row, s->d) / d2;
        reconstruction[m] = s->sums[j].reconstruction[m] / scale;
    }
    sae_cross_latent l = {.latent = (uint32_t)j,
                          .fires = s->fires[j],
                          .norm_before = norm[BEFORE],
                          .norm_after = norm[AFTER],
                          .relative_norm = norm[AFTER] / (norm[BEFORE] + norm[AFTER]),
                          .delta_norm = ((norm[BEFORE] - norm[AFTER]) / norm[own] + 1) / 2,
                          .beta_error_before = error[BEFORE],
                          .beta_error_after = error[AFTER],
                          .beta_reconstruction_before = reconstruction[BEFORE],
                          .beta_reconstruction_after = reconstruction[AFTER],
                          .nu_error = ratio(error, own),
                          .nu_reconstruction = ratio(reconstruction, own)};
    l.kind = kind_of(&l, o);
    return l;
}

void saei_latent_scaling_finish(sae_cross_latent *out, const saei_latent_scaling *s,
                                const sae_cross_options *o)
{
    for (size_t j = 0; j < s->n_latents; j++)
        out[j] = describe(s, j, o);
}
