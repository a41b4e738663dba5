#include "num/screen.h"
#include "base/memory.h"
#include "num/rows.h"
#include "num/screen_row.h"
#include "num/screen_ends.h"
#include "num/screen_work.h"
#include "num/topk.h"

#include <math.h>

/* Exact scores take the place of the lower bounds. */
static void score_candidates(const saei_screen_work *work, size_t r)
{
    const saei_encoder *e = work->e;
    const saei_screen_row *row = work->candidates + r;
    saei_named_rows latents = {.base = e->W_enc, .stride = e->d, .row = row->latent, .n = row->n};
    float *score = row->lower;
    if (r + 1 < work->n_rows) {
        latents.next = row[1].latent;
        latents.n_next = row[1].n;
    }
    saei_rows_dot(score, saei_screen_row_at(work, r), &latents, e->d);
    for (uint32_t i = 0; i < row->n; i++)
        score[i] = saei_kept_pre(e, row->latent[i], score[i]);
}

/* The k largest of a row's exact scores. */
static void select_codes(saei_code_slots out, size_t row, size_t k, const float *score,
                         const uint32_t *latent, size_t n)
{
    uint32_t *latents = out.latent + row * k;
    saei_topk top = {out.value + row * k, latents, k, 0, -INFINITY};
    saei_topk_offer(&top, score, n, 0);
    for (size_t i = 0; i < top.n; i++)
        latents[i] = latent[latents[i]];
    out.count[row] = (uint32_t)top.n;
}

/* The least of a full row's codes over its norm; 0 if a slot is left. */
static float end_of_row(saei_code_slots out, size_t row, size_t k, float norm)
{
    float least = INFINITY;
    for (size_t i = 0; i < out.count[row]; i++)
        least = out.value[row * k + i] < least ? out.value[row * k + i] : least;
    return out.count[row] == k ? least / norm : 0.0f;
}

/* Codes of one row from its settled candidates, unless they are kept. False: what they were expected to
   exceed was too much, so that a latent may be missing. */
static bool finish_row(saei_code_slots out, const saei_screen_work *work, size_t r,
                       const saei_candidates *kept, saei_screen_counts *counts)
{
    const saei_encoder *e = work->e;
    const saei_screen_row *candidates = work->candidates + r;
    bool given_up = isnan(candidates->threshold);
    if (!given_up && candidates->threshold > -INFINITY && !saei_screen_row_has(candidates, e->k))
        return false;
    counts->candidates += candidates->n;
    counts->overflows += given_up ? 1 : 0;
    if (given_up) {
        saei_encode_row_exact(out, e, work->xc, work->row[r]);
    } else if (kept != NULL && saei_candidates_keep(kept, work->row[r], candidates->latent, candidates->n,
                                                    work->bounds[r].norm)) {
        out.count[work->row[r]] = 0; /* until there are scores */
        return true;
    } else {
        score_candidates(work, r);
        select_codes(out, work->row[r], e->k, candidates->lower, candidates->latent, candidates->n);
    }
    saei_screen_note_end(counts, end_of_row(out, work->row[r], e->k, work->bounds[r].norm));
    return true;
}

void saei_screen_kept_row(saei_code_slots out, size_t k, const saei_candidates *kept, size_t row,
                          float *scratch, saei_screen_counts *counts)
{
    size_t first = row * kept->slots, n = kept->count[row];
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        scratch[i] = kept->score[kept->place[first + i]];
    select_codes(out, row, k, scratch, kept->latent + first, n);
    saei_screen_note_end(counts, end_of_row(out, row, k, kept->norm[row]));
}

size_t saei_screen_rows(saei_code_slots out, const saei_encoder *e, const float *xc, saei_row_list rows,
                        const saei_candidates *kept, float *scratch, saei_screen_counts *counts)
{
    saei_screen_work work = saei_screen_work_new(e, scratch);
    size_t at_once = saei_screen_rows_at_once(e->d, e->k), n_left = 0;
    work.xc = xc;
    work.start = rows.start;
    for (size_t done = 0; done < rows.n; done += work.n_rows) {
        work.row = rows.row + done;
        work.n_rows = saei_min_size(at_once, rows.n - done);
        saei_screen_rows_start(&work);
        saei_screen_rows_pass(&work, counts);
        for (size_t r = 0; r < work.n_rows; r++) {
            saei_screen_row_settle(work.candidates + r, e->k);
            saei_screen_row_sort(work.candidates + r, work.room);
        }
        for (size_t r = 0; r < work.n_rows; r++)
            if (!finish_row(out, &work, r, kept, counts))
                rows.row[n_left++] = work.row[r];
    }
    counts->rows += rows.n - n_left;
    return n_left;
}
