#include "num/screen_hits.h"
#include "num/panels.h"
#include "num/screen_row.h"

#include <math.h>

/* Who meets in a hit. */
typedef struct meeting {
    const saei_screen_query *row;
    const saei_fixed_bounds *latent;
    float bias, floor;
} meeting;

static meeting meeting_of(const saei_screen_work *work, const saei_screen_hit *hit)
{
    const saei_encoder *e = work->e;
    return (meeting){work->queries + hit->row, work->latents + hit->latent, e->b_enc[hit->latent],
                     e->floor != NULL ? e->floor[hit->latent] : 0.0f};
}

/* The bound of a score for which the latent is known to within `error`. */
static float bound_of(const meeting *m, float error)
{
    saei_screen_bound bound = m->row->bound;
    return bound.per_norm * m->latent->norm + (bound.per_error * error + bound.constant);
}

/* Without a branch on what cannot be foreseen. */
static void offer(const saei_screen_work *work, const saei_screen_hit *hit, const meeting *m, float score)
{
    saei_screen_row *row = work->candidates + hit->row;
    float bound = bound_of(m, m->latent->error), lower = score - bound, upper = score + bound;
    row->lower[row->n] = lower > m->floor ? lower : -INFINITY;
    row->upper[row->n] = upper;
    row->latent[row->n] = hit->latent;
    row->n += (upper >= row->threshold) & (upper >= m->floor);
    if (row->n >= row->raise_at) {
        saei_screen_row_raise(row, work->e->k, work->capacity);
        work->strips[hit->row / SAEI_STRIP].threshold[hit->row % SAEI_STRIP] = row->threshold;
    }
}

static void take_wide(const saei_screen_work *work, const saei_screen_hits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        meeting m = meeting_of(work, &hits->at[i]);
        offer(work, &hits->at[i], &m, (float)hits->at[i].sum * m.latent->unit * m.row->unit + m.bias);
    }
}

/* Products of bytes that are all below 2^31, put together in double: one rounding to float. */
static float score_of(const meeting *m, int32_t high, int32_t mixed, int32_t low)
{
    const double fraction = 1.0 / SAEI_FRACTION;
    double sum = (double)high + fraction * ((double)mixed + fraction * (double)low);
    return (float)(sum * (double)m->latent->unit * (double)m->row->unit) + m->bias;
}

/* Of lines to which 128 was added, and a row's, whose numbers have the sum offset / 128. */
static int32_t dot(const saei_screen_work *work, saei_lines latent, const char *row, int32_t offset)
{
    return work->kernel->byte_dot(latent, (saei_lines){row, 2 * SAEI_LINE}, saei_byte_lines(work->e->d)) -
           offset;
}

/* With the row's low bytes the score has half the error: hits that do not reach the threshold any more leave.
 */
static void narrow(const saei_screen_work *work, saei_screen_hits *hits)
{
    size_t left = 0;
    for (size_t i = 0; i < hits->n; i++) {
        saei_screen_hit hit = hits->at[i];
        meeting m = meeting_of(work, &hit);
        hit.mixed = dot(work, saei_panels_high(work->e->panels, hit.latent), m.row->low, m.row->low_offset);
        float upper = score_of(&m, hit.sum, hit.mixed, 0) + bound_of(&m, m.latent->coarse);
        hits->at[left] = hit;
        left += (upper >= work->candidates[hit.row].threshold) & (upper >= m.floor);
    }
    hits->n = left;
}

/* Asks for the low bytes of a latent, which are rarely in a cache. */
static void fetch_low(const saei_screen_work *work, uint32_t latent)
{
    saei_lines low = saei_panels_low(work->e->panels, latent);
    for (size_t i = 0; i < saei_byte_lines(work->e->d); i++)
        __builtin_prefetch(low.first + i * low.stride);
}

/* Scores from all bytes. */
static void take_bytes(const saei_screen_work *work, const saei_screen_hits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        const saei_screen_hit *hit = hits->at + i;
        meeting m = meeting_of(work, hit);
        saei_lines latent = saei_panels_low(work->e->panels, hit->latent);
        if (i + 1 < hits->n)
            fetch_low(work, hit[1].latent);
        int32_t mixed = hit->mixed + dot(work, latent, m.row->high, m.row->high_offset);
        int32_t low = dot(work, latent, m.row->low, m.row->low_offset);
        offer(work, hit, &m, score_of(&m, hit->sum, mixed, low));
    }
}

void saei_screen_take_hits(const saei_screen_work *work, saei_screen_hits *hits, saei_screen_counts *counts)
{
    if (work->in_bytes) {
        counts->refined += hits->n;
        narrow(work, hits);
        take_bytes(work, hits);
    } else {
        take_wide(work, hits);
    }
    hits->n = 0;
}
