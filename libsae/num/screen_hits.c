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
static void offer(const saei_screen_work *work, const saei_screen_hit *hit, const meeting *m, float score,
                  float bound)
{
    saei_screen_row *row = work->candidates + hit->row;
    float lower = score - bound, upper = score + bound;
    row->lower[row->n] = lower > m->floor ? lower : -INFINITY;
    row->upper[row->n] = upper;
    row->latent[row->n] = hit->latent;
    row->n += (upper >= row->threshold) & (upper >= m->floor);
    if (row->n >= row->raise_at) {
        saei_screen_row_raise(row, work->rank, work->capacity);
        work->strips[hit->row / SAEI_STRIP].threshold[hit->row % SAEI_STRIP] = row->threshold;
    }
}

static void take_wide(const saei_screen_work *work, const saei_screen_hits *hits)
{
    for (size_t i = 0; i < hits->n; i++) {
        meeting m = meeting_of(work, &hits->at[i]);
        float score = (float)hits->at[i].sum * m.latent->unit * m.row->unit + m.bias;
        offer(work, &hits->at[i], &m, score, bound_of(&m, m.latent->error));
    }
}

/* Products of bytes, put together in double: one rounding to float. */
static float score_of(const meeting *m, int32_t high, int32_t mixed)
{
    const double fraction = 1.0 / SAEI_FRACTION;
    double sum = (double)high + fraction * (double)mixed;
    return (float)(sum * (double)m->latent->unit * (double)m->row->unit) + m->bias;
}

/* With the row's low bytes the score has half the error: hits that do not reach the threshold any more leave.
 */
static void narrow(const saei_screen_work *work, saei_screen_hits *hits)
{
    saei_byte_pair pairs[SAEI_HITS_MAX];
    int32_t sums[SAEI_HITS_MAX];
    size_t left = 0;
    for (size_t i = 0; i < hits->n; i++)
        pairs[i] = (saei_byte_pair){saei_high_bytes(&work->bytes, hits->at[i].latent),
                                    work->queries[hits->at[i].row].low};
    work->kernel->byte_dots(sums, pairs, hits->n, work->bytes.n_lines, SAEI_PANEL * SAEI_LINE);
    for (size_t i = 0; i < hits->n; i++) {
        saei_screen_hit hit = hits->at[i];
        meeting m = meeting_of(work, &hit);
        hit.mixed = sums[i] - m.row->low_offset;
        float upper = score_of(&m, hit.sum, hit.mixed) + bound_of(&m, m.latent->coarse);
        hits->at[left] = hit;
        left += (upper >= work->candidates[hit.row].threshold) & (upper >= m.floor);
    }
    hits->n = left;
}

/* Scores from all bytes but for the products of two low ones, which are less than the bound they add. */
static void take_bytes(const saei_screen_work *work, const saei_screen_hits *hits)
{
    saei_byte_pair pairs[SAEI_HITS_MAX];
    int32_t sums[SAEI_HITS_MAX];
    for (size_t i = 0; i < hits->n; i++)
        pairs[i] = (saei_byte_pair){saei_low_bytes(&work->bytes, hits->at[i].latent),
                                    work->queries[hits->at[i].row].high};
    work->kernel->byte_dots(sums, pairs, hits->n, work->bytes.n_lines, SAEI_LINE);
    for (size_t i = 0; i < hits->n; i++) {
        const saei_screen_hit *hit = hits->at + i;
        meeting m = meeting_of(work, hit);
        int32_t mixed = hit->mixed + sums[i] - m.row->high_offset;
        float bound = bound_of(&m, m.latent->error) + m.row->low_norm * (m.latent->coarse + m.latent->error);
        offer(work, hit, &m, score_of(&m, hit->sum, mixed), bound);
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
