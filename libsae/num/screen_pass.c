#include "base/memory.h"
#include "num/panels.h"
#include "num/screen_hits.h"

#include <math.h>

/* Panels that are kept in the second-level cache while the rows pass; the strips of rows share it. */
enum { GROUP_BYTES = 256 * 1024, GROUP_MAX = 32 };

/* Groups pass in runs of every eighth, so that the first ones are a sample of all, in whatever order the
   latents are. */
enum { RUNS = 8 };
static const size_t first_of_run[RUNS] = {0, 4, 2, 6, 1, 5, 3, 7};

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

/* The group that passes next comes into the second-level cache while this one is multiplied, which leaves the
   memory idle: some rows of lines with each panel. */
typedef struct group_ahead {
    const char *line;
    size_t left, at_once, row_bytes;
} group_ahead;

static const char *take_row(group_ahead *ahead, const char *otherwise)
{
    if (ahead->left == 0)
        return otherwise;
    const char *row = ahead->line;
    ahead->line += ahead->row_bytes;
    ahead->left--;
    return row;
}

/* Rows of the next group, and low bytes of the hits from `first` on, the last one again where there are fewer:
   without a branch on how many there are. Returns the first hit that is left. */
static size_t list_ahead(saei_screen_tile *tile, const saei_screen_work *work, group_ahead *ahead,
                         const saei_screen_hits *hits, size_t first, const char *otherwise)
{
    size_t n = 0, end = saei_min_size(first + SAEI_ROWS_AHEAD - ahead->at_once, hits->n);
    while (n < ahead->at_once)
        tile->ahead[n++] = take_row(ahead, otherwise);
    if (!work->in_bytes || hits->n == 0)
        while (n < SAEI_ROWS_AHEAD)
            tile->ahead[n++] = otherwise;
    for (; n < SAEI_ROWS_AHEAD; n++, first++)
        tile->ahead[n] = saei_low_bytes(&work->bytes, hits->at[saei_min_size(first, hits->n - 1)].latent);
    return end;
}

/* The strips of a tile against a group of panels, whose hits are taken while its lines are in the cache. */
static void screen_tile(const saei_screen_work *work, saei_screen_tile *tile, const saei_screen_panel *panels,
                        size_t n_panels, group_ahead *ahead, saei_screen_counts *counts)
{
    saei_screen_tile_fn multiply = work->in_bytes ? work->kernel->bytes : work->kernel->wide;
    saei_screen_sums sums[2] = {{.panel = &saei_screen_no_panel}, {.panel = NULL}};
    saei_screen_hits hits;
    hits.n = 0;
    for (size_t p = 0, fetched = 0; p <= n_panels; p++) {
        saei_screen_sums *now = &sums[(p + 1) % 2];
        now->panel = p < n_panels ? panels + p : &saei_screen_no_panel;
        if (p < n_panels)
            fetched = list_ahead(tile, work, ahead, &hits, fetched, panels[p].lines);
        multiply(tile, now, &sums[p % 2], &hits);
        if (hits.n > SAEI_HITS_MAX - SAEI_HITS_OF_TILE) {
            saei_screen_take_hits(work, &hits, counts);
            fetched = 0;
        }
    }
    saei_screen_take_hits(work, &hits, counts);
}

/* How many of a row's k largest scores are likely at most among a random part of the latents: the mean and
   two standard deviations, and something more for when there are few. Certain are only k. */
static size_t likely_rank(const saei_screen_work *work, double part)
{
    double k = (double)work->e->k, rank = k * part + 2.0 * sqrt(k * part * (1.0 - part)) + 2.0;
    return work->start > 0.0f && rank < k ? (size_t)rank : work->e->k;
}

/* Panels first .. first + n - 1, which pass together. */
typedef struct panel_group {
    size_t run, first, n;
} panel_group;

static size_t panels_at_once(size_t d)
{
    return saei_min_size(GROUP_BYTES / (saei_screen_lines_bytes(d) * SAEI_PANEL) + 1, GROUP_MAX);
}

/* The group that begins with the panel, or the first of the next run that has any; none: n = 0. */
static panel_group group_from(const saei_encoder *e, size_t run, size_t first)
{
    size_t at_once = panels_at_once(e->d), count = saei_panels_count(e->n_latents);
    while (first >= count && ++run < RUNS)
        first = first_of_run[run] * at_once;
    return (panel_group){run, first, first < count ? saei_min_size(at_once, count - first) : 0};
}

static panel_group group_after(const saei_encoder *e, const panel_group *group)
{
    return group_from(e, group->run, group->first + RUNS * panels_at_once(e->d));
}

static group_ahead group_ahead_of(const saei_encoder *e, const panel_group *group, size_t times)
{
    if (group->n == 0)
        return (group_ahead){0};
    saei_screen_panel first = saei_panels_at(e->panels, group->first);
    size_t rows = group->n * SAEI_PANEL, at_once = saei_min_size(rows / times + 1, SAEI_ROWS_AHEAD / 2);
    return (group_ahead){first.lines, rows, at_once, first.n_lines * SAEI_LINE};
}

static void screen_group(const saei_screen_work *work, const panel_edge *edge, const panel_group *group,
                         saei_screen_counts *counts)
{
    saei_screen_panel panels[GROUP_MAX];
    size_t strips = saei_screen_strips(work),
           tiles = (strips + SAEI_STRIPS_AT_ONCE - 1) / SAEI_STRIPS_AT_ONCE;
    panel_group next = group_after(work->e, group);
    group_ahead ahead = group_ahead_of(work->e, &next, tiles * group->n);
    for (size_t p = 0; p < group->n; p++)
        panels[p] = panel_at(work->e, edge, group->first + p);
    for (size_t s = 0; s < strips; s += SAEI_STRIPS_AT_ONCE) {
        saei_screen_tile tile = {.strips = work->strips + s,
                                 .n = saei_min_size(SAEI_STRIPS_AT_ONCE, strips - s)};
        screen_tile(work, &tile, panels, group->n, &ahead, counts);
    }
}

void saei_screen_rows_pass(saei_screen_work *work, saei_screen_counts *counts)
{
    const saei_encoder *e = work->e;
    panel_edge edge;
    fill_edge(&edge, e);
    size_t count = saei_panels_count(e->n_latents), seen = 0;
    for (panel_group group = group_from(e, 0, 0); group.n > 0; group = group_after(e, &group)) {
        seen += group.n;
        work->rank = likely_rank(work, (double)seen / (double)count);
        screen_group(work, &edge, &group, counts);
    }
}
