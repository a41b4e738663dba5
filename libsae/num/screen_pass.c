#include "base/memory.h"
#include "num/panels.h"
#include "num/screen_row.h"
#include "num/screen_work.h"

#include <math.h>

/* Panels that are kept in the second-level cache while the rows pass; the strips of rows share it. */
enum { GROUP_BYTES = 256 * 1024, GROUP_MAX = 32 };

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

/* Latents of a row that a group of panels has brought, before their lines leave the cache or the row's room
   is used up. */
static void refine(const saei_screen_work *work, size_t r, uint32_t *n_refined, saei_screen_counts *counts)
{
    saei_screen_row *candidates = work->candidates + r;
    if (work->in_bytes && candidates->n > *n_refined) {
        counts->refined += candidates->n - *n_refined;
        saei_screen_row_refine(candidates, *n_refined, work->bytes + r, work->e);
    }
    *n_refined = candidates->n;
}

/* A row without room for another panel raises its threshold. refined [SAEI_STRIP] */
static void make_room(const saei_screen_work *work, size_t s, uint32_t *refined, saei_screen_counts *counts)
{
    saei_screen_strip *strip = work->strips + s;
    strip->fullest = 0;
    for (size_t i = 0; i < SAEI_STRIP; i++) {
        saei_screen_row *candidates = strip->rows + i;
        if (candidates->n + SAEI_PANEL > work->capacity) {
            refine(work, s * SAEI_STRIP + i, &refined[i], counts);
            saei_screen_row_raise(candidates, work->e->k, work->capacity);
            refined[i] = candidates->n;
            strip->threshold[i] = candidates->threshold;
        }
        strip->fullest = candidates->n > strip->fullest ? candidates->n : strip->fullest;
    }
}

/* n <= SAEI_STRIPS_AT_ONCE strips against a group of panels. */
static void screen_strips(const saei_screen_work *work, size_t first, size_t n,
                          const saei_screen_panel *panels, size_t n_panels, saei_screen_counts *counts)
{
    saei_screen_tile_fn tile = work->in_bytes ? work->kernel->bytes : work->kernel->wide;
    uint32_t refined[SAEI_STRIPS_AT_ONCE * SAEI_STRIP];
    for (size_t i = 0; i < n * SAEI_STRIP; i++)
        refined[i] = work->candidates[first * SAEI_STRIP + i].n;
    for (size_t p = 0; p < n_panels; p++) {
        tile(work->strips + first, n, panels + p);
        for (size_t s = 0; s < n; s++)
            if (work->strips[first + s].fullest + SAEI_PANEL > work->capacity)
                make_room(work, first + s, refined + s * SAEI_STRIP, counts);
    }
    for (size_t i = 0; i < n * SAEI_STRIP; i++)
        refine(work, first * SAEI_STRIP + i, &refined[i], counts);
}

void saei_screen_rows_pass(const saei_screen_work *work, saei_screen_counts *counts)
{
    const saei_encoder *e = work->e;
    saei_screen_panel panels[GROUP_MAX];
    panel_edge edge;
    fill_edge(&edge, e);
    size_t panel_bytes = saei_screen_lines_bytes(e->d) * SAEI_PANEL;
    size_t group = saei_min_size(GROUP_BYTES / panel_bytes + 1, GROUP_MAX),
           count = saei_panels_count(e->n_latents);
    for (size_t first = 0; first < count; first += group) {
        size_t n = saei_min_size(group, count - first);
        for (size_t p = 0; p < n; p++)
            panels[p] = panel_at(e, &edge, first + p);
        for (size_t s = 0; s < saei_screen_strips(work); s += SAEI_STRIPS_AT_ONCE)
            screen_strips(work, s, saei_min_size(SAEI_STRIPS_AT_ONCE, saei_screen_strips(work) - s), panels,
                          n, counts);
    }
}
