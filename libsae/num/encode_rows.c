/* The rows of a batch, tile after tile. Those of which too much was expected are left until all have passed:
   screened together they cost what other rows do, while a few alone would cost a strip of them. */
#include "num/encoder.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/blas.h"
#include "num/screen.h"

#include <string.h>

/* In the place of a row's count while it is left. */
static const uint32_t LEFT = UINT32_MAX;

typedef struct rows_job {
    saei_code_slots out;
    const saei_encoder *encoder;
    const float *xc;
    size_t rows, ranges;
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

static void encode_task(void *arg, size_t tile, unsigned worker)
{
    const rows_job *job = arg;
    size_t first = tile * job->workers->tile_rows,
           rows = saei_min_size(job->workers->tile_rows, job->rows - first);
    if (job->encoder->panels != NULL)
        screen_tile(job, first, rows, worker);
    else
        saei_encode_tile(job->out, job->encoder, job->xc, first, rows, scratch_of(job, worker));
}

/* The rows that are left in one of a few ranges, without an expectation. */
static void left_task(void *arg, size_t range, unsigned worker)
{
    const rows_job *job = arg;
    size_t listed[SAEI_TILE_ROWS], n = 0, end = job->rows * (range + 1) / job->ranges;
    saei_screen_counts *counts = job->workers->counts + worker;
    for (size_t r = job->rows * range / job->ranges; r < end; r++) {
        if (job->out.count[r] == LEFT)
            listed[n++] = r;
        if (n == SAEI_TILE_ROWS || (n > 0 && r + 1 == end)) {
            saei_screen_rows(job->out, job->encoder, job->xc, (saei_row_list){listed, n, 0.0f}, job->kept,
                             scratch_of(job, worker), counts);
            counts->restarted += n;
            n = 0;
        }
    }
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
    rows_job job = {out, encoder, xc, rows, threads, workers, keeps ? &kept : NULL};
    memset(workers->counts, 0, threads * sizeof *workers->counts);
    memset(counts, 0, sizeof *counts);
    saei_blas_begin();
    saei_parallel_for(workers->context, tiles, encode_task, &job);
    if (encoder->panels != NULL && encoder->start > 0.0f)
        saei_parallel_for(workers->context, threads, left_task, &job);
    if (keeps) {
        saei_candidates_score(&kept, encoder, xc, workers->context);
        saei_parallel_for(workers->context, tiles, kept_task, &job);
    }
    saei_screen_counts_add(counts, workers->counts, threads);
}
