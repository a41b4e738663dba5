#include "train/topk_sae.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/blas.h"
#include "num/rows.h"

#include <math.h>
#include <string.h>

/* Latents of one task. Fixed: float sums over a chunk must not depend on the thread count. */
enum { CHUNK_LATENTS = 32 };

static size_t tiles_of(size_t rows)
{
    return (rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS;
}

static size_t chunks_of(size_t n_latents)
{
    return (n_latents + CHUNK_LATENTS - 1) / CHUNK_LATENTS;
}

static sae_status aux_new(saei_topk_sae *sae, sae_error *err)
{
    sae_context *context = sae->context;
    size_t batch = saei_mul(sae->batch_rows, sae->d);
    sae_status status = saei_alloc(&sae->aux_residual, context, batch, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_code_slots_new(&sae->dead.out, context, sae->batch_rows, sae->k_aux, err);
    if (status == SAE_OK)
        status = saei_alloc(&sae->dead_latents, context, sae->n_latents, sizeof(uint32_t), err);
    if (status == SAE_OK)
        status = saei_alloc(&sae->dead_place, context, sae->n_latents, sizeof(uint32_t), err);
    if (status == SAE_OK)
        status = saei_latent_index_new(&sae->dead_index, context, sae->n_latents, sae->batch_rows, sae->k_aux,
                                       err);
    if (status == SAE_OK)
        memset(sae->dead_place, 0xff, sae->n_latents * sizeof(uint32_t));
    return status;
}

sae_status saei_topk_sae_new(saei_topk_sae *out, sae_context *context, size_t d, size_t n_latents, size_t k,
                             size_t k_aux, size_t batch_rows, double aux_coefficient, sae_error *err)
{
    saei_topk_sae sae = {.context = context,
                         .d = d,
                         .n_latents = n_latents,
                         .k = k,
                         .k_aux = k_aux < n_latents ? k_aux : n_latents,
                         .batch_rows = batch_rows,
                         .aux_coefficient = aux_coefficient};
    size_t batch = saei_mul(batch_rows, d), chunks = chunks_of(n_latents);
    size_t workers = sae_context_threads(context), tiles = tiles_of(batch_rows);
    size_t scratch =
        saei_mul(saei_encoder_scratch(d, n_latents, k, false), workers < tiles ? workers : tiles);
    sae_status status = saei_alloc(&sae.xc, context, batch, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&sae.e, context, batch, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_code_slots_new(&sae.codes, context, batch_rows, k, err);
    if (status == SAE_OK)
        status = saei_latent_index_new(&sae.index, context, n_latents, batch_rows, k, err);
    if (status == SAE_OK)
        status = saei_alloc(&sae.scratch, context, scratch, sizeof(float), err);
    if (status == SAE_OK)
        status = saei_alloc(&sae.tile_sums, context, saei_mul(tiles, d + 2), sizeof(double), err);
    if (status == SAE_OK)
        status = saei_alloc(&sae.chunk_norm2, context, chunks, sizeof(double), err);
    if (status == SAE_OK)
        status = saei_alloc(&sae.chunk_b_dec, context, saei_mul(chunks, d), sizeof(float), err);
    if (status == SAE_OK && sae.k_aux > 0)
        status = aux_new(&sae, err);
    if (status != SAE_OK) {
        saei_topk_sae_free(&sae);
        return status;
    }
    *out = sae;
    return SAE_OK;
}

void saei_topk_sae_free(saei_topk_sae *sae)
{
    sae_context *context = sae->context;
    if (context == NULL)
        return;
    saei_free(context, sae->xc);
    saei_free(context, sae->e);
    saei_free(context, sae->aux_residual);
    saei_code_slots_free(&sae->codes, context);
    saei_code_slots_free(&sae->dead.out, context);
    saei_free(context, sae->dead_latents);
    saei_free(context, sae->dead_place);
    saei_latent_index_free(&sae->index, context);
    saei_latent_index_free(&sae->dead_index, context);
    saei_free(context, sae->scratch);
    saei_free(context, sae->tile_sums);
    saei_free(context, sae->chunk_norm2);
    saei_free(context, sae->chunk_b_dec);
    *sae = (saei_topk_sae){0};
}

size_t saei_topk_sae_bytes(size_t d, size_t n_latents, size_t k, size_t k_aux, size_t batch_rows)
{
    size_t tiles = tiles_of(batch_rows);
    size_t batch = saei_mul(batch_rows, saei_mul(d, k_aux > 0 ? 12 : 8));
    size_t slots = saei_mul(batch_rows, saei_mul(saei_add(k, k_aux), 16));
    size_t scratch = saei_mul(saei_mul(saei_encoder_scratch(d, n_latents, k, false), sizeof(float)), tiles);
    size_t sums = saei_mul(saei_add(tiles, chunks_of(n_latents)), saei_mul(saei_add(d, 3), 8));
    return saei_add(saei_add(batch, slots), saei_add(saei_add(scratch, sums), saei_mul(n_latents, 32)));
}

void saei_topk_sae_set_dead(saei_topk_sae *sae, const uint64_t *silent, uint64_t dead_after)
{
    if (sae->k_aux == 0)
        return;
    size_t n = 0;
    for (size_t j = 0; j < sae->n_latents; j++) {
        bool dead = silent[j] >= dead_after;
        sae->dead_place[j] = dead ? (uint32_t)n : UINT32_MAX;
        if (dead)
            sae->dead_latents[n++] = (uint32_t)j;
    }
    sae->dead.latents = sae->dead_latents;
    sae->dead.n_latents = n;
    sae->dead.k = sae->k_aux;
}

typedef struct gradient_job {
    saei_topk_sae *sae;
    const saei_parameters *p;
    saei_parameters *g;
    const saei_encoder_subset *dead; /* NULL: no AuxK */
    size_t rows;
    float scale;     /* s */
    float e_scale;   /* ∂loss/∂x̂ = e_scale · e */
    float aux_scale; /* the same for the residual of AuxK */
} gradient_job;

static size_t row_end(const gradient_job *job, size_t tile)
{
    size_t end = (tile + 1) * SAEI_TILE_ROWS;
    return end < job->rows ? end : job->rows;
}

/* out = in − (codes of row r) W_dec; `names` translates the latents of the codes, NULL: as they are. */
static void subtract_decoded(float *out, const float *in, const saei_parameters *p,
                             const saei_code_slots *codes, size_t k, size_t r, const uint32_t *names)
{
    memcpy(out, in, p->d * sizeof(float));
    for (size_t i = 0; i < codes->count[r]; i++) {
        uint32_t j = codes->latent[r * k + i];
        size_t latent = names != NULL ? names[j] : j;
        saei_row_axpy(out, -codes->value[r * k + i], p->W_dec + latent * p->d, p->d);
    }
}

/* Scales and centres a row, encodes, decodes: all while the tile is in cache. */
static void forward_tile(void *arg, size_t tile, unsigned worker)
{
    const gradient_job *job = arg;
    const saei_topk_sae *sae = job->sae;
    const saei_parameters *p = job->p;
    size_t d = sae->d, first = tile * SAEI_TILE_ROWS, end = row_end(job, tile);
    saei_encoder encoder = {d, sae->n_latents, sae->k, p->W_enc, true, p->b_enc, NULL, NULL};
    double *sums = sae->tile_sums + tile * (d + 2);
    memset(sums, 0, (d + 2) * sizeof *sums);
    for (size_t r = first; r < end; r++)
        saei_row_scale_shift(sae->xc + r * d, job->scale, sae->xc + r * d, p->b_dec, d);
    saei_encode_tile(sae->codes, job->dead, &encoder, sae->xc, first, end - first,
                     sae->scratch + worker * saei_encoder_scratch(d, sae->n_latents, sae->k, false), NULL);
    for (size_t r = first; r < end; r++) {
        float *e = sae->e + r * d;
        subtract_decoded(e, sae->xc + r * d, p, &sae->codes, sae->k, r, NULL);
        sums[0] += saei_row_norm2(e, d);
        for (size_t i = 0; i < d; i++)
            sums[2 + i] += (double)e[i];
        if (job->dead != NULL) {
            float *residual = sae->aux_residual + r * d;
            subtract_decoded(residual, e, p, &sae->dead.out, sae->k_aux, r, sae->dead.latents);
            sums[1] += saei_row_norm2(residual, d);
        }
    }
}

/* Adds what the entries of one latent give to the rows g_enc, g_dec [d] and, returned, to its bias.
   With G = scale · residual the gradient of the reconstruction: ∂W_dec,j = Σ f G, ∂pre = G · W_dec,j since f
   > 0, ∂W_enc,j = Σ ∂pre xc, ∂b_enc,j = Σ ∂pre. */
static float accumulate(float *g_enc, float *g_dec, const float *w_dec, const saei_latent_index *index,
                        size_t j, const float *xc, const float *residual, float scale, size_t d)
{
    float g_bias = 0.0f;
    for (size_t i = index->start[j]; i < index->start[j + 1]; i++) {
        const float *e = residual + (size_t)index->row[i] * d;
        float g_pre = scale * saei_row_dot(e, w_dec, d);
        saei_row_axpy(g_dec, scale * index->value[i], e, d);
        saei_row_axpy(g_enc, g_pre, xc + (size_t)index->row[i] * d, d);
        g_bias += g_pre;
    }
    return g_bias;
}

static void gradient_chunk(void *arg, size_t chunk, unsigned worker)
{
    (void)worker;
    const gradient_job *job = arg;
    const saei_topk_sae *sae = job->sae;
    const saei_parameters *p = job->p;
    size_t d = sae->d,
           end = (chunk + 1) * CHUNK_LATENTS < sae->n_latents ? (chunk + 1) * CHUNK_LATENTS : sae->n_latents;
    float *b_dec = sae->chunk_b_dec + chunk * d;
    double norm2 = 0.0;
    memset(b_dec, 0, d * sizeof *b_dec);
    for (size_t j = chunk * CHUNK_LATENTS; j < end; j++) {
        float *g_enc = job->g->W_enc + j * d, *g_dec = job->g->W_dec + j * d;
        const float *w_dec = p->W_dec + j * d;
        memset(g_enc, 0, d * sizeof *g_enc);
        memset(g_dec, 0, d * sizeof *g_dec);
        float g_bias = accumulate(g_enc, g_dec, w_dec, &sae->index, j, sae->xc, sae->e, job->e_scale, d);
        saei_row_axpy(b_dec, -g_bias, p->W_enc + j * d, d);
        if (job->dead != NULL && sae->dead_place[j] != UINT32_MAX)
            g_bias += accumulate(g_enc, g_dec, w_dec, &sae->dead_index, sae->dead_place[j], sae->xc,
                                 sae->aux_residual, job->aux_scale, d);
        saei_row_axpy(g_dec, -saei_row_dot(g_dec, w_dec, d), w_dec, d);
        job->g->b_enc[j] = g_bias;
        norm2 += saei_row_norm2(g_enc, d) + saei_row_norm2(g_dec, d) + (double)g_bias * (double)g_bias;
    }
    sae->chunk_norm2[chunk] = norm2;
}

/* Adds the tiles in order; mean_e² becomes ‖mean e‖². */
static void reduce_tiles(const saei_topk_sae *sae, double *squares, double *aux_squares, double *mean_e2)
{
    size_t d = sae->d, tiles = tiles_of(sae->batch_rows);
    double *total = sae->tile_sums;
    for (size_t tile = 1; tile < tiles; tile++)
        for (size_t i = 0; i < d + 2; i++)
            total[i] += sae->tile_sums[tile * (d + 2) + i];
    *squares = total[0];
    *aux_squares = total[1];
    *mean_e2 = 0.0;
    for (size_t i = 0; i < d; i++)
        *mean_e2 += total[2 + i] / (double)sae->batch_rows * (total[2 + i] / (double)sae->batch_rows);
}

/* b_dec: Σ G from the decoder, and what the chunks collected on the encoder's path. Returns Σ of all squares.
 */
static double reduce_chunks(const saei_topk_sae *sae, saei_parameters *g, float e_scale)
{
    size_t d = sae->d, chunks = chunks_of(sae->n_latents);
    double norm2 = 0.0;
    for (size_t i = 0; i < d; i++) {
        double sum = (double)e_scale * sae->tile_sums[2 + i];
        for (size_t chunk = 0; chunk < chunks; chunk++)
            sum += (double)sae->chunk_b_dec[chunk * d + i];
        g->b_dec[i] = (float)sum;
        norm2 += sum * sum;
    }
    for (size_t chunk = 0; chunk < chunks; chunk++)
        norm2 += sae->chunk_norm2[chunk];
    return norm2;
}

static void forward(gradient_job *job)
{
    saei_blas_begin();
    saei_parallel_for(job->sae->context, tiles_of(job->rows), forward_tile, job);
}

void saei_topk_sae_forward(saei_topk_sae *sae, const saei_parameters *parameters, float scale, size_t rows)
{
    gradient_job job = {.sae = sae, .p = parameters, .rows = rows, .scale = scale};
    forward(&job);
}

saei_topk_sae_result saei_topk_sae_gradient(saei_parameters *gradient, saei_topk_sae *sae,
                                            const saei_parameters *parameters, float scale)
{
    size_t rows = sae->batch_rows;
    gradient_job job = {.sae = sae, .p = parameters, .g = gradient, .rows = rows, .scale = scale};
    job.dead = sae->dead.n_latents > 0 ? &sae->dead : NULL;
    forward(&job);

    double squares, aux_squares, mean_e2;
    reduce_tiles(sae, &squares, &aux_squares, &mean_e2);
    double spread = squares - (double)rows * mean_e2;
    saei_topk_sae_result result = {.loss = squares / (double)rows};
    job.e_scale = (float)(-2.0 / (double)rows);
    saei_latent_index_build(&sae->index, &sae->codes, sae->n_latents, rows, sae->k);
    if (job.dead != NULL && spread > 0.0) {
        result.aux_loss = aux_squares / spread;
        job.aux_scale = (float)(-2.0 * sae->aux_coefficient / spread);
        saei_latent_index_build(&sae->dead_index, &sae->dead.out, sae->dead.n_latents, rows, sae->k_aux);
    } else {
        job.dead = NULL;
    }
    saei_parallel_for(sae->context, chunks_of(sae->n_latents), gradient_chunk, &job);
    result.gradient_norm = sqrt(reduce_chunks(sae, gradient, job.e_scale));
    result.active = sae->index.start[sae->n_latents];
    return result;
}
