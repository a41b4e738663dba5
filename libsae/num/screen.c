#include "num/screen.h"
#include "base/memory.h"
#include "num/fixed_point.h"
#include "num/panels.h"
#include "num/rows.h"
#include "num/screen_row.h"
#include "num/topk.h"

#include <float.h>
#include <math.h>

/* Panels that are kept in the second-level cache while the rows pass; the strips of rows share it. */
enum { GROUP_BYTES = 256 * 1024, GROUP_MAX = 32, SCRATCH_BYTES = 1800 * 1024, ALIGNMENT = 64, TAKEN = 9 };

/* Beyond it exact scores could overflow where approximate ones do not. */
static const float BIAS_MAX = 0x1p120f;

/* Everything of a worker. Some rows of the tile at a time, so that it stays small. */
typedef struct screen_work {
    const saei_encoder *e;
    const saei_screen_kernel *kernel;
    const float *xc; /* of the first row */
    size_t n_rows, capacity;
    int16_t *strips;          /* of a block of rows after the other, each [pairs, width, 2] */
    saei_screen_row *rows;    /* [n_rows], and the padding of the last block */
    saei_fixed_bounds bounds; /* of the same */
} screen_work;

/* Candidates that a row can hold: the k largest, those within the bounds of the k-th, and some to come before
   the threshold is raised. */
static size_t capacity_for(size_t k)
{
    return saei_add(saei_add(k, k / 2), 4 * SAEI_PANEL);
}

static size_t row_bytes(size_t d, size_t k)
{
    size_t candidates = saei_mul(capacity_for(k), 2 * sizeof(float) + sizeof(uint32_t));
    size_t strip = saei_mul(saei_fixed_pairs(d), 2 * sizeof(int16_t));
    return saei_add(saei_add(candidates, strip), sizeof(saei_screen_row) + 3 * sizeof(float));
}

/* An even part of a tile: all the weights pass the caches once for each part. */
static size_t rows_at_once(size_t d, size_t k)
{
    size_t bytes = saei_mul(SAEI_TILE_ROWS, row_bytes(d, k));
    size_t parts = saei_min_size(bytes / SCRATCH_BYTES + 1, SAEI_TILE_ROWS);
    return (SAEI_TILE_ROWS + parts - 1) / parts;
}

size_t saei_screen_scratch(size_t d, size_t k)
{
    size_t rows = rows_at_once(d, k) + SAEI_FEW_ROWS;
    size_t bytes = saei_add(saei_mul(rows, row_bytes(d, k)), TAKEN * ALIGNMENT);
    return bytes / ALIGNMENT * (ALIGNMENT / sizeof(float));
}

static void *take(char **scratch, size_t bytes)
{
    char *taken = *scratch;
    *scratch += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return taken;
}

static screen_work divide_scratch(const saei_encoder *e, float *scratch)
{
    size_t rows = rows_at_once(e->d, e->k) + SAEI_FEW_ROWS, capacity = capacity_for(e->k);
    char *left = (char *)scratch;
    screen_work work = {.e = e, .kernel = saei_panels_kernel(e->panels), .capacity = capacity};
    work.strips = take(&left, rows * saei_fixed_pairs(e->d) * 2 * sizeof *work.strips);
    work.rows = take(&left, rows * sizeof *work.rows);
    work.bounds.unit = take(&left, rows * sizeof(float));
    work.bounds.norm = take(&left, rows * sizeof(float));
    work.bounds.error = take(&left, rows * sizeof(float));
    float *lower = take(&left, rows * capacity * sizeof(float));
    float *upper = take(&left, rows * capacity * sizeof(float));
    uint32_t *latent = take(&left, rows * capacity * sizeof(uint32_t));
    for (size_t r = 0; r < rows; r++) {
        work.rows[r].lower = lower + r * capacity;
        work.rows[r].upper = upper + r * capacity;
        work.rows[r].latent = latent + r * capacity;
    }
    return work;
}

static size_t block_width(const screen_work *work, size_t first_row)
{
    return work->n_rows - first_row >= work->kernel->width ? work->kernel->width : SAEI_FEW_ROWS;
}

static void pack_rows(const screen_work *work)
{
    size_t d = work->e->d, pairs = saei_fixed_pairs(d), width;
    for (size_t r = 0; r < work->n_rows; r += width) {
        width = block_width(work, r);
        saei_fixed_bounds bounds = {work->bounds.unit + r, work->bounds.norm + r, work->bounds.error + r};
        saei_fixed_pack(work->strips + 2 * pairs * r, width, bounds, work->xc + r * d,
                        saei_min_size(width, work->n_rows - r), d);
    }
}

/* The largest finite |b_j|; Inf when products with the weights, or sums with the bias, could overflow. */
static float largest_bias(const saei_encoder *e)
{
    float largest = 0.0f;
    for (size_t j = 0; j < e->n_latents; j++) {
        float b = fabsf(e->b_enc[j]);
        largest = b <= FLT_MAX && b > largest ? b : largest;
    }
    return saei_panels_norm_max(e->panels) <= SAEI_FIXED_NORM_MAX && largest <= BIAS_MAX ? largest : INFINITY;
}

static void start_rows(const screen_work *work)
{
    float bias = largest_bias(work->e);
    for (size_t r = 0, width; r < work->n_rows; r += width) {
        width = block_width(work, r);
        for (size_t i = r; i < r + width; i++) {
            float norm = work->bounds.norm[i];
            bool screened = i < work->n_rows && norm <= SAEI_FIXED_NORM_MAX && bias <= BIAS_MAX;
            saei_screen_row_start(work->rows + i, work->bounds.unit[i], norm, work->bounds.error[i],
                                  work->e->d, bias);
            if (!screened)
                work->rows[i].threshold = NAN;
        }
    }
}

/* Bias and floor of the last panel, which may be partly empty. */
typedef struct panel_edge {
    float bias[SAEI_PANEL], floor[SAEI_PANEL];
} panel_edge;

static void fill_edge(panel_edge *edge, const saei_encoder *e)
{
    size_t first = e->n_latents / SAEI_PANEL * SAEI_PANEL;
    for (size_t i = 0; i < SAEI_PANEL; i++) {
        bool exists = first + i < e->n_latents;
        edge->bias[i] = exists ? e->b_enc[first + i] : NAN;
        edge->floor[i] = exists && e->floor != NULL ? e->floor[first + i] : 0.0f;
    }
}

static saei_screen_panel panel_at(const saei_encoder *e, const panel_edge *edge, size_t i)
{
    static const float no_floor[SAEI_PANEL] = {0};
    saei_screen_panel panel = saei_panels_at(e->panels, i);
    bool whole = panel.first + SAEI_PANEL <= e->n_latents;
    panel.bias = whole ? e->b_enc + panel.first : edge->bias;
    panel.floor = e->floor == NULL ? no_floor : whole ? e->floor + panel.first : edge->floor;
    return panel;
}

static void screen_block(const screen_work *work, size_t first_row, const saei_screen_panel *panels, size_t n)
{
    size_t width = block_width(work, first_row);
    saei_screen_row *rows = work->rows + first_row;
    const int16_t *strip = work->strips + 2 * saei_fixed_pairs(work->e->d) * first_row;
    for (size_t p = 0; p < n; p++) {
        (width == work->kernel->width ? work->kernel->tile : work->kernel->few_rows)(rows, strip, panels + p);
        for (size_t r = 0; r < width; r++)
            if (rows[r].n + SAEI_ROOM > work->capacity)
                saei_screen_row_raise(rows + r, work->e->k, work->capacity);
    }
}

static void screen_rows(const screen_work *work)
{
    const saei_encoder *e = work->e;
    saei_screen_panel panels[GROUP_MAX];
    panel_edge edge;
    fill_edge(&edge, e);
    size_t panel_bytes = saei_fixed_pairs(e->d) * 2 * SAEI_PANEL * sizeof(int16_t);
    size_t group = saei_min_size(GROUP_BYTES / panel_bytes + 1, GROUP_MAX),
           count = saei_panels_count(e->n_latents);
    for (size_t first = 0; first < count; first += group) {
        size_t n = saei_min_size(group, count - first);
        for (size_t p = 0; p < n; p++)
            panels[p] = panel_at(e, &edge, first + p);
        for (size_t r = 0; r < work->n_rows; r += block_width(work, r))
            screen_block(work, r, panels, n);
    }
}

/* Exact scores take the place of the lower bounds. */
static void score_candidates(const saei_encoder *e, const float *x, saei_screen_row *row)
{
    float *score = row->lower;
    saei_rows_dot(score, x, e->W_enc, e->d, row->latent, row->n, e->d);
    for (uint32_t i = 0; i < row->n; i++) {
        size_t j = row->latent[i];
        score[i] += e->b_enc[j];
        if (!(score[i] > (e->floor != NULL ? e->floor[j] : 0.0f)))
            score[i] = -INFINITY;
    }
}

/* The k largest of a row's exact scores. */
static void select_codes(saei_code_slots out, size_t row_out, size_t k, const saei_screen_row *row)
{
    uint32_t *latents = out.latent + row_out * k;
    saei_topk top = {out.value + row_out * k, latents, k, 0, -INFINITY};
    saei_topk_offer(&top, row->lower, row->n, 0);
    for (size_t i = 0; i < top.n; i++)
        latents[i] = row->latent[latents[i]];
    out.count[row_out] = (uint32_t)top.n;
}

static void finish_rows(saei_code_slots out, const float *xc, size_t first, const screen_work *work,
                        saei_screen_counts *counts)
{
    const saei_encoder *e = work->e;
    for (size_t r = 0; r < work->n_rows; r++) {
        saei_screen_row *row = work->rows + r;
        saei_screen_row_settle(row, e->k);
        bool given_up = isnan(row->threshold);
        counts->candidates += row->n;
        counts->overflows += given_up ? 1 : 0;
        if (given_up) {
            saei_encode_row_exact(out, e, xc, first + r);
        } else {
            score_candidates(e, work->xc + r * e->d, row);
            select_codes(out, first + r, e->k, row);
        }
    }
    counts->rows += work->n_rows;
}

void saei_screen_tile(saei_code_slots out, const saei_encoder *e, const float *xc, size_t first, size_t rows,
                      float *scratch, saei_screen_counts *counts)
{
    screen_work work = divide_scratch(e, scratch);
    for (size_t done = 0; done < rows; done += work.n_rows) {
        work.xc = xc + (first + done) * e->d;
        work.n_rows = saei_min_size(rows_at_once(e->d, e->k), rows - done);
        pack_rows(&work);
        start_rows(&work);
        screen_rows(&work);
        finish_rows(out, xc, first + done, &work, counts);
    }
}
