#include "train/auxk.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/blas.h"
#include "num/rows.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Dead latents of one product. Fixed, as all shapes are: sums must not depend on the thread count. */
enum { BLOCK = 128 };

typedef struct auxk_job {
    saei_auxk *auxk;
    const saei_parameters *p;
    const saei_selection_weights *selection;
    const saei_panels *panels;
    const float *xc, *e;
    size_t stride;
    float e_scale;
    float g_scale; /* ∂loss/∂â = g_scale · r */
} auxk_job;

static size_t tiles_of(size_t rows)
{
    return (rows + SAEI_TILE_ROWS - 1) / SAEI_TILE_ROWS;
}

static size_t few_of(const saei_auxk_settings *settings, size_t n_latents)
{
    return saei_min_size(n_latents, settings->few != 0 ? settings->few : SAEI_AUXK_FEW);
}

/* Encoder scores and the codes of a tile as a dense matrix. */
static size_t encoder_floats(size_t d, size_t n_latents, size_t k)
{
    size_t dense = saei_encoder_scratch(d, n_latents, k, false),
           screened = saei_encoder_scratch(d, n_latents, k, true);
    return dense > screened ? dense : screened;
}

static size_t tile_floats(const saei_auxk_settings *settings, size_t d, size_t n_latents)
{
    size_t scores = encoder_floats(d, n_latents, saei_min_size(settings->k, n_latents));
    return saei_add(scores, saei_mul(SAEI_TILE_ROWS, few_of(settings, n_latents)));
}

sae_status saei_auxk_new(saei_auxk *out, sae_context *context, const saei_auxk_settings *settings, size_t d,
                         size_t n_latents, size_t batch_rows, sae_error *err)
{
    saei_auxk a = {.context = context, .settings = *settings, .d = d, .n_latents = n_latents};
    a.batch_rows = batch_rows;
    a.settings.k = saei_min_size(settings->k, n_latents);
    a.settings.few = few_of(settings, n_latents);
    size_t k = a.settings.k, few = a.settings.few, threads = sae_context_threads(context);
    size_t tiles = tiles_of(batch_rows), blocks = (few + BLOCK - 1) / BLOCK;
    if (k == 0) {
        *out = a;
        return SAE_OK;
    }
    const struct {
        void *pointer;
        size_t count, size;
    } buffers[] = {
        {&a.dead, n_latents, sizeof(uint32_t)},
        {&a.place, n_latents, sizeof(uint32_t)},
        {&a.residual, saei_mul(batch_rows, d), sizeof(float)},
        {&a.tile_sums, saei_mul(tiles, d + 1), sizeof(double)},
        {&a.tile_floats, saei_mul(tile_floats(&a.settings, d, n_latents), saei_min_size(threads, tiles)),
         sizeof(float)},
        {&a.block_floats, saei_mul(saei_mul(BLOCK, batch_rows), saei_min_size(threads, blocks)),
         sizeof(float)},
        {&a.W_enc, saei_mul(few, d), sizeof(float)},
        {&a.W_dec, saei_mul(few, d), sizeof(float)},
        {&a.g_W_enc, saei_mul(few, d), sizeof(float)},
        {&a.g_W_dec, saei_mul(few, d), sizeof(float)},
        {&a.b_enc, few, sizeof(float)},
        {&a.g_b_enc, few, sizeof(float)},
        {&a.a, saei_mul(few, batch_rows), sizeof(float)},
        {&a.floor, n_latents, sizeof(float)},
        {&a.g, saei_mul(batch_rows, k), sizeof(float)},
        {&a.part_b_dec, saei_mul(SAEI_AUXK_PARTS, d), sizeof(float)},
    };
    sae_status status = saei_code_slots_new(&a.codes, context, batch_rows, k, err);
    if (status == SAE_OK)
        status = saei_latent_index_new(&a.index, context, n_latents, batch_rows, k, false, err);
    for (size_t i = 0; status == SAE_OK && i < sizeof buffers / sizeof buffers[0]; i++)
        status = saei_alloc(buffers[i].pointer, context, buffers[i].count, buffers[i].size, err);
    if (status != SAE_OK) {
        saei_auxk_free(&a);
        return status;
    }
    memset(a.place, 0xff, n_latents * sizeof *a.place);
    *out = a;
    return SAE_OK;
}

void saei_auxk_free(saei_auxk *a)
{
    sae_context *context = a->context;
    if (context == NULL)
        return;
    saei_code_slots_free(&a->codes, context);
    saei_latent_index_free(&a->index, context);
    void *const blocks[] = {a->dead,  a->place, a->residual, a->tile_sums, a->tile_floats, a->block_floats,
                            a->W_enc, a->W_dec, a->g_W_enc,  a->g_W_dec,   a->b_enc,       a->g_b_enc,
                            a->a,     a->floor, a->g,        a->part_b_dec};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        saei_free(context, blocks[i]);
    *a = (saei_auxk){0};
}

size_t saei_auxk_bytes(const saei_auxk_settings *settings, size_t d, size_t n_latents, size_t batch_rows)
{
    size_t k = saei_min_size(settings->k, n_latents), few = few_of(settings, n_latents),
           tiles = tiles_of(batch_rows);
    if (k == 0)
        return 0;
    size_t floats = saei_mul(batch_rows, saei_add(d, saei_add(few, saei_mul(3, k))));
    floats = saei_add(floats, saei_add(saei_mul(few, saei_mul(4, d) + 2), saei_mul(SAEI_AUXK_PARTS, d)));
    floats = saei_add(
        floats, saei_add(saei_mul(tile_floats(settings, d, n_latents), tiles), saei_mul(few, batch_rows)));
    size_t bytes = saei_add(saei_mul(sizeof(float), floats),
                            saei_add(saei_mul(n_latents, 16), saei_mul(tiles, saei_mul(8, d + 1))));
    return saei_add(bytes, saei_latent_index_bytes(n_latents, batch_rows, k, false));
}

void saei_auxk_set_dead(saei_auxk *a, const uint64_t *silent, uint64_t dead_after)
{
    if (a->settings.k == 0)
        return;
    size_t n = 0;
    for (size_t j = 0; j < a->n_latents; j++) {
        bool dead = silent[j] >= dead_after;
        a->place[j] = dead ? (uint32_t)n : UINT32_MAX;
        if (dead)
            a->dead[n++] = (uint32_t)j;
    }
    a->n_dead = n;
}

static bool few(const saei_auxk *a)
{
    return a->n_dead <= a->settings.few;
}

bool saei_auxk_is_sparse(const saei_auxk *a)
{
    return !few(a);
}

static void sum_tile(void *arg, size_t tile, unsigned worker)
{
    (void)worker;
    const auxk_job *job = arg;
    saei_auxk *a = job->auxk;
    size_t d = a->d, end = saei_min_size((tile + 1) * SAEI_TILE_ROWS, a->batch_rows);
    double *sums = a->tile_sums + tile * (d + 1);
    memset(sums, 0, (d + 1) * sizeof *sums);
    for (size_t r = tile * SAEI_TILE_ROWS; r < end; r++) {
        float *e = a->residual + r * d;
        for (size_t i = 0; i < d; i++) {
            e[i] = job->e_scale * job->e[r * job->stride + i];
            sums[1 + i] += (double)e[i];
        }
        sums[0] += saei_row_norm2(e, d);
    }
}

static double reduce(const saei_auxk *a, size_t column)
{
    double sum = 0.0;
    for (size_t tile = 0; tile < tiles_of(a->batch_rows); tile++)
        sum += a->tile_sums[tile * (a->d + 1) + column];
    return sum;
}

/* Copies e into the residuals. Returns Σ‖e − mean e‖². */
static double spread_of_residuals(const auxk_job *job)
{
    const saei_auxk *a = job->auxk;
    double n = (double)a->batch_rows, mean2 = 0.0;
    saei_parallel_for(a->context, tiles_of(a->batch_rows), sum_tile, (void *)(uintptr_t)job);
    for (size_t i = 0; i < a->d; i++) {
        double sum = reduce(a, 1 + i);
        mean2 += sum / n * (sum / n);
    }
    return reduce(a, 0) - n * mean2;
}

static const float *weights_of(const auxk_job *job)
{
    return job->selection != NULL ? job->selection->W : job->p->W_enc;
}

static const float *biases_of(const auxk_job *job)
{
    return job->selection != NULL ? job->selection->b : job->p->b_enc;
}

static void gather(const auxk_job *job)
{
    const saei_auxk *a = job->auxk;
    for (size_t i = 0; i < a->n_dead; i++) {
        memcpy(a->W_enc + i * a->d, weights_of(job) + a->dead[i] * a->d, a->d * sizeof(float));
        memcpy(a->W_dec + i * a->d, job->p->W_dec + a->dead[i] * a->d, a->d * sizeof(float));
        a->b_enc[i] = biases_of(job)[a->dead[i]];
    }
}

static void set_floors(const saei_auxk *a)
{
    float least = a->settings.style == SAE_AUX_DICTIONARY_LEARNING ? 0.0f : -INFINITY;
    size_t n = few(a) ? a->n_dead : a->n_latents;
    for (size_t j = 0; j < n; j++)
        a->floor[j] = few(a) || a->place[j] != UINT32_MAX ? least : INFINITY;
}

/* Codes of a tile: among the dead alone, or among all with floors that only the dead can pass. */
static void encode_tile(const auxk_job *job, size_t first, size_t rows, float *scratch)
{
    const saei_auxk *a = job->auxk;
    bool compact = few(a);
    saei_encoder encoder = {.d = a->d,
                            .n_latents = compact ? a->n_dead : a->n_latents,
                            .k = a->settings.k,
                            .W_enc = compact ? a->W_enc : weights_of(job),
                            .b_enc = compact ? a->b_enc : biases_of(job),
                            .floor = a->floor,
                            .panels = compact ? NULL : job->panels};
    saei_encode_tile(a->codes, &encoder, job->xc, first, rows, scratch);
    for (size_t r = first; r < first + rows; r++)
        for (size_t i = r * a->settings.k; i < r * a->settings.k + a->codes.count[r]; i++) {
            uint32_t *latent = &a->codes.latent[i];
            *latent = compact ? *latent : a->place[*latent];
            if (job->selection != NULL)
                a->codes.value[i] /= job->selection->norm[a->dead[*latent]];
        }
}

/* r = e − a W_dec with the codes as a dense matrix, which stays in a for the gradient. A code of 0 has a
   gradient too: it is told from none by the smallest number there is. */
static void decode_few(saei_auxk *a, size_t first, size_t rows, float *dense)
{
    size_t n = a->n_dead, k = a->settings.k;
    memset(dense, 0, rows * n * sizeof *dense);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = (first + r) * k; i < (first + r) * k + a->codes.count[first + r]; i++)
            dense[r * n + a->codes.latent[i]] = a->codes.value[i] != 0.0f ? a->codes.value[i] : FLT_MIN;
    saei_blas_gemm_subtract(a->residual + first * a->d, dense, a->W_dec, rows, a->d, n);
    for (size_t j = 0; j < n; j++)
        for (size_t r = 0; r < rows; r++)
            a->a[j * a->batch_rows + first + r] = dense[r * n + j];
}

static void decode_many(const auxk_job *job, size_t first, size_t rows)
{
    const saei_auxk *a = job->auxk;
    size_t k = a->settings.k, d = a->d;
    for (size_t r = first; r < first + rows; r++) {
        float *residual = a->residual + r * d;
        for (size_t i = r * k; i < r * k + a->codes.count[r]; i++)
            saei_row_axpy(residual, -a->codes.value[i], job->p->W_dec + a->dead[a->codes.latent[i]] * d, d);
        for (size_t i = r * k; i < r * k + a->codes.count[r]; i++)
            a->g[i] =
                job->g_scale * saei_row_dot(residual, job->p->W_dec + a->dead[a->codes.latent[i]] * d, d);
    }
}

static void forward_tile(void *arg, size_t tile, unsigned worker)
{
    const auxk_job *job = arg;
    saei_auxk *a = job->auxk;
    size_t first = tile * SAEI_TILE_ROWS, rows = saei_min_size(SAEI_TILE_ROWS, a->batch_rows - first);
    float *scratch = a->tile_floats + worker * tile_floats(&a->settings, a->d, a->n_latents);
    encode_tile(job, first, rows, scratch);
    if (few(a))
        decode_few(a, first, rows, scratch + encoder_floats(a->d, a->n_latents, a->settings.k));
    else
        decode_many(job, first, rows);
    double squares = 0.0;
    for (size_t r = first; r < first + rows; r++)
        squares += saei_row_norm2(a->residual + r * a->d, a->d);
    a->tile_sums[tile * (a->d + 1)] = squares;
}

/* Gradients of a block of the dead latents: ∂pre = g_scale · (R W_decᵀ) where a code is, ∂W_dec = g_scale ·
   aᵀ R, ∂W_enc = ∂preᵀ xc. */
static void gradient_block(void *arg, size_t block, unsigned worker)
{
    const auxk_job *job = arg;
    const saei_auxk *a = job->auxk;
    size_t first = block * BLOCK, n = saei_min_size(BLOCK, a->n_dead - first), B = a->batch_rows, d = a->d;
    float *g = a->block_floats + worker * BLOCK * B, *codes = a->a + first * B;
    saei_blas_gemm(g, a->W_dec + first * d, a->residual, d, true, n, B, d);
    saei_blas_gemm(a->g_W_dec + first * d, codes, a->residual, d, false, n, d, B);
    for (size_t j = 0; j < n; j++) {
        double sum = 0.0;
        for (size_t r = 0; r < B; r++) {
            g[j * B + r] = codes[j * B + r] != 0.0f ? job->g_scale * g[j * B + r] : 0.0f;
            sum += (double)g[j * B + r];
        }
        a->g_b_enc[first + j] = (float)sum;
        for (size_t i = 0; i < d; i++)
            a->g_W_dec[(first + j) * d + i] *= job->g_scale;
    }
    saei_blas_gemm(a->g_W_enc + first * d, g, job->xc, d, false, n, d, B);
}

/* ∂loss/∂pre of a dead latent, summed over the rows. */
static double sum_of_g(const saei_auxk *a, size_t place)
{
    if (few(a))
        return (double)a->g_b_enc[place];
    double sum = 0.0;
    for (size_t i = a->index.places.start[place]; i < a->index.places.start[place + 1]; i++)
        sum += (double)a->index.g[i];
    return sum;
}

/* pre = (s x − b_dec) · w_enc + b_enc. The parts are the same for any number of threads. */
static void b_dec_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const auxk_job *job = arg;
    const saei_auxk *a = job->auxk;
    size_t first = part * a->n_dead / SAEI_AUXK_PARTS, end = (part + 1) * a->n_dead / SAEI_AUXK_PARTS;
    float *sum = a->part_b_dec + part * a->d;
    memset(sum, 0, a->d * sizeof *sum);
    for (size_t i = first; i < end; i++)
        saei_row_axpy(sum, (float)-sum_of_g(a, i), job->p->W_enc + a->dead[i] * a->d, a->d);
}

static double factor(const saei_auxk *a, double spread)
{
    if (a->settings.style != SAE_AUX_SAELENS)
        return spread > 0.0 ? 1.0 / spread : 0.0;
    double share = (double)a->n_dead / (double)a->settings.k;
    return (share < 1.0 ? share : 1.0) / (double)a->batch_rows;
}

double saei_auxk_run(saei_auxk *a, const saei_parameters *parameters, const saei_selection_weights *selection,
                     const saei_panels *panels, const float *xc, const float *e, size_t stride, float e_scale)
{
    if (a->settings.k == 0 || a->n_dead == 0)
        return 0.0;
    auxk_job job = {.auxk = a,
                    .p = parameters,
                    .selection = selection,
                    .panels = panels,
                    .xc = xc,
                    .e = e,
                    .stride = stride,
                    .e_scale = e_scale};
    double weight = factor(a, spread_of_residuals(&job));
    job.g_scale = (float)(-2.0 * a->settings.coefficient * weight);
    if (few(a))
        gather(&job);
    set_floors(a);
    saei_blas_begin();
    saei_parallel_for(a->context, tiles_of(a->batch_rows), forward_tile, &job);
    if (few(a)) {
        saei_parallel_for(a->context, (a->n_dead + BLOCK - 1) / BLOCK, gradient_block, &job);
    } else {
        for (size_t i = 0; i < a->batch_rows * a->settings.k; i++)
            a->codes.value[i] *= job.g_scale;
        saei_latent_index_build(&a->index, &a->codes, a->g, NULL, a->n_dead, a->batch_rows, a->settings.k);
    }
    saei_parallel_for(a->context, SAEI_AUXK_PARTS, b_dec_part, &job);
    return reduce(a, 0) * weight;
}

void saei_auxk_add_b_dec(const saei_auxk *a, float *g_b_dec)
{
    for (size_t part = 0; part < SAEI_AUXK_PARTS && a->settings.k > 0 && a->n_dead > 0; part++)
        saei_row_axpy(g_b_dec, 1.0f, a->part_b_dec + part * a->d, a->d);
}

static bool has_gradient(const saei_auxk *a, size_t j)
{
    return a->settings.k > 0 && a->n_dead > 0 && a->place[j] != UINT32_MAX;
}

void saei_auxk_add_decoder(const saei_auxk *a, size_t j, float *g_W_dec)
{
    if (!has_gradient(a, j))
        return;
    size_t place = a->place[j], d = a->d;
    if (few(a)) {
        saei_row_axpy(g_W_dec, 1.0f, a->g_W_dec + place * d, d);
        return;
    }
    saei_named_rows residuals = saei_latent_index_rows(&a->index, place, a->residual, d);
    saei_rows_combine(g_W_dec, &residuals, a->index.value + a->index.places.start[place], d);
}

void saei_auxk_add_encoder(const saei_auxk *a, size_t j, float *g_W_enc, float *g_b_enc, const float *xc)
{
    if (!has_gradient(a, j))
        return;
    size_t place = a->place[j], d = a->d;
    if (few(a)) {
        saei_row_axpy(g_W_enc, 1.0f, a->g_W_enc + place * d, d);
        *g_b_enc += a->g_b_enc[place];
        return;
    }
    saei_named_rows rows = saei_latent_index_rows(&a->index, place, xc, d);
    const float *g = a->index.g + a->index.places.start[place];
    saei_rows_combine(g_W_enc, &rows, g, d);
    for (size_t i = 0; i < rows.n; i++)
        *g_b_enc += g[i];
}

double saei_auxk_norm_bound(const saei_auxk *a)
{
    if (a->settings.k == 0 || a->n_dead == 0)
        return 0.0;
    if (!few(a))
        return INFINITY;
    double norm2 = saei_row_norm2(a->g_b_enc, a->n_dead);
    for (size_t i = 0; i < a->n_dead; i++)
        norm2 += saei_row_norm2(a->g_W_enc + i * a->d, a->d) + saei_row_norm2(a->g_W_dec + i * a->d, a->d);
    return sqrt(norm2);
}
