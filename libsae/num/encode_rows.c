/* The rows of a batch, tile after tile. Those of which too much was expected are left until all have passed:
   screened together they cost what other rows do, while a few alone would cost a strip of them. Meanwhile the
   candidates of the others are scored. */
#include "num/encoder.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/blas.h"
#include "num/screen.h"
#include "num/screen_kernel.h"

#include <string.h>

/* In the place of a row's count while it is left. */
static const uint32_t LEFT = UINT32_MAX;

/* The last tiles pass in parts, so that threads end together. Smaller ones cost more. */
enum { TILES_IN_PARTS = 2, PARTS = 4 };

/* More threads than that do not share the rows that are left. */
enum { LEFT_PARTS_MAX = 64 };

typedef struct rows_job {
    saei_code_slots out;
    const saei_encoder *encoder;
    const float *xc;
    size_t rows;
    size_t whole_tiles;                               /* pass before those in parts */
    size_t left_parts, left_from[LEFT_PARTS_MAX + 1]; /* ranges of rows, of which some are left */
    const saei_encode_workers *workers;
    const saei_candidates *kept; /* NULL: rows are scored one by one */
} rows_job;

static float *scratch_of(const rows_job *job, unsigned worker)
{
    return job->workers->scratch + worker * job->workers->scratch_floats;
}

/* Marks the rows that are left. */
static void screen_tile(const rows_job *job, size_t first, size_t rows, unsigned worker)
{
    const saei_encoder *e = job->encoder;
    size_t listed[SAEI_TILE_ROWS];
    for (size_t r = 0; r < rows; r++)
        listed[r] = first + r;
    size_t left = saei_screen_rows(job->out, e, job->xc, (saei_row_list){listed, rows, e->start}, job->kept,
                                   scratch_of(job, worker), job->workers->counts + worker);
    for (size_t i = 0; i < left; i++)
        job->out.count[listed[i]] = LEFT;
}

/* BLAS may round otherwise in parts. Scratch is there for one worker to a tile. */
static size_t whole_tiles(const saei_encoder *encoder, size_t tiles, size_t threads)
{
    bool in_parts = encoder->panels != NULL && tiles >= threads && tiles > 2 * TILES_IN_PARTS;
    return in_parts ? tiles - TILES_IN_PARTS : tiles;
}

static size_t part_rows(const rows_job *job)
{
    return job->workers->tile_rows / PARTS;
}

static size_t rows_in_whole_tiles(const rows_job *job)
{
    return saei_min_size(job->whole_tiles * job->workers->tile_rows, job->rows);
}

static size_t encode_tasks(const rows_job *job)
{
    return job->whole_tiles + (job->rows - rows_in_whole_tiles(job) + part_rows(job) - 1) / part_rows(job);
}

static void encode_task(void *arg, size_t task, unsigned worker)
{
    const rows_job *job = arg;
    bool whole = task < job->whole_tiles;
    size_t most = whole ? job->workers->tile_rows : part_rows(job);
    size_t first =
        whole ? task * most : rows_in_whole_tiles(job) + (task - job->whole_tiles) * part_rows(job);
    size_t rows = saei_min_size(most, job->rows - first);
    if (job->encoder->panels != NULL)
        screen_tile(job, first, rows, worker);
    else
        saei_encode_tile(job->out, job->encoder, job->xc, first, rows, scratch_of(job, worker));
}

/* Some ranges of rows with about as many that are left in each, at most one for each thread. Found before any
   is encoded, since a row that is encoded is left no more. */
static void divide_left(rows_job *job, size_t threads)
{
    size_t left = 0, seen = 0, part = 0;
    for (size_t r = 0; r < job->rows; r++)
        left += job->out.count[r] == LEFT;
    size_t parts =
        saei_min_size((left + SAEI_STRIP - 1) / SAEI_STRIP, saei_min_size(threads, LEFT_PARTS_MAX));
    for (size_t r = 0; r < job->rows; r++)
        if (job->out.count[r] == LEFT && seen++ == left * part / parts)
            job->left_from[part++] = r;
    job->left_from[parts] = job->rows;
    job->left_parts = parts;
}

/* Without an expectation. Each part has scratch of its own, for there may be more workers than scratch. */
static void screen_left(const rows_job *job, size_t part)
{
    size_t listed[SAEI_TILE_ROWS], n = 0, end = job->left_from[part + 1];
    saei_screen_counts *counts = job->workers->counts + part;
    for (size_t r = job->left_from[part]; r < end; r++) {
        if (job->out.count[r] == LEFT)
            listed[n++] = r;
        if (n == SAEI_TILE_ROWS || (n > 0 && r + 1 == end)) {
            saei_screen_rows(job->out, job->encoder, job->xc, (saei_row_list){listed, n, 0.0f}, NULL,
                             scratch_of(job, (unsigned)part), counts);
            counts->restarted += n;
            n = 0;
        }
    }
}

static void score_task(void *arg, size_t task, unsigned worker)
{
    (void)worker;
    const rows_job *job = arg;
    if (task < job->left_parts)
        screen_left(job, task);
    else
        saei_candidates_score(job->kept, job->encoder, job->xc, task - job->left_parts);
}

static void kept_task(void *arg, size_t tile, unsigned worker)
{
    const rows_job *job = arg;
    size_t first = tile * job->workers->tile_rows;
    for (size_t r = first; r < saei_min_size(first + job->workers->tile_rows, job->rows); r++)
        saei_screen_kept_row(job->out, job->encoder->k, job->kept, r, scratch_of(job, worker),
                             job->workers->counts + worker);
}

void saei_encode_rows(saei_code_slots out, const saei_encoder *encoder, const float *xc, size_t rows,
                      const saei_encode_workers *workers, saei_screen_counts *counts)
{
    size_t tiles = (rows + workers->tile_rows - 1) / workers->tile_rows,
           threads = saei_min_size(tiles, sae_context_threads(workers->context));
    saei_candidates kept;
    bool keeps = encoder->panels != NULL && saei_candidates_in(&kept, encoder, rows, workers->room);
    rows_job job = {.out = out,
                    .encoder = encoder,
                    .xc = xc,
                    .rows = rows,
                    .whole_tiles = whole_tiles(encoder, tiles, sae_context_threads(workers->context)),
                    .workers = workers,
                    .kept = keeps ? &kept : NULL};
    memset(workers->counts, 0, threads * sizeof *workers->counts);
    memset(counts, 0, sizeof *counts);
    saei_blas_begin();
    saei_parallel_for(workers->context, encode_tasks(&job), encode_task, &job);
    if (encoder->panels != NULL && encoder->start > 0.0f)
        divide_left(&job, threads);
    if (keeps)
        saei_candidates_sort(&kept, encoder->n_latents, workers->context);
    saei_parallel_for(workers->context, job.left_parts + (keeps ? SAEI_SCORE_SLICES : 0), score_task, &job);
    if (keeps)
        saei_parallel_for(workers->context, tiles, kept_task, &job);
    saei_screen_counts_add(counts, workers->counts, threads);
}
