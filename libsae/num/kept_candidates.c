#include "num/kept_candidates.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "num/rows.h"

#include <string.h>

enum { ALIGNMENT = 64 };

/* Most rows have few candidates more than k; those with many are scored at once. */
static size_t slots_for(size_t k)
{
    return saei_add(k, k / 4 + 4);
}

/* Rows of the batch, gathered, are to be fewer than those of the encoder, and each of these to be used more
   than once. */
static bool pays(const saei_encoder *e, size_t rows)
{
    return e->n_latents / 2 >= rows && saei_mul(rows, e->k) / 2 >= e->n_latents;
}

/* NULL when the room is too small, and from then on. */
static void *take(saei_room *room, size_t count, size_t size)
{
    size_t bytes = saei_add(saei_mul(count, size), ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes > room->bytes) {
        *room = (saei_room){NULL, 0};
        return NULL;
    }
    char *taken = room->first;
    room->first = taken + bytes;
    room->bytes -= bytes;
    return taken;
}

bool saei_candidates_in(saei_candidates *out, const saei_encoder *e, size_t rows, saei_room room)
{
    size_t slots = slots_for(e->k), all = saei_mul(rows, slots);
    if (!pays(e, rows) || all > UINT32_MAX)
        return false;
    saei_candidates c = {.rows = rows, .slots = slots};
    c.count = take(&room, rows, sizeof *c.count);
    c.norm = take(&room, rows, sizeof *c.norm);
    c.latent = take(&room, all, sizeof *c.latent);
    c.place = take(&room, all, sizeof *c.place);
    c.row = take(&room, all, sizeof *c.row);
    c.score = take(&room, all, sizeof *c.score);
    c.places.start = take(&room, saei_add(e->n_latents, 1), sizeof *c.places.start);
    c.places.next = take(&room, saei_mul(SAEI_PLACE_PARTS, e->n_latents), sizeof *c.places.next);
    if (c.places.next == NULL)
        return false;
    memset(c.count, 0, rows * sizeof *c.count);
    *out = c;
    return true;
}

bool saei_candidates_keep(const saei_candidates *c, size_t row, const uint32_t *latent, size_t n, float norm)
{
    if (n == 0 || n > c->slots)
        return false;
    memcpy(c->latent + row * c->slots, latent, n * sizeof *latent);
    c->count[row] = (uint32_t)n;
    c->norm[row] = norm;
    return true;
}

typedef struct sort_job {
    const saei_candidates *candidates;
    const saei_latent_slots *slots;
} sort_job;

static void move_part(void *arg, size_t part, unsigned worker)
{
    (void)worker;
    const sort_job *job = arg;
    const saei_candidates *c = job->candidates;
    size_t *next = c->places.next + part * job->slots->n_latents;
    for (size_t r = saei_latent_part(job->slots, part); r < saei_latent_part(job->slots, part + 1); r++)
        for (size_t i = r * c->slots; i < r * c->slots + c->count[r]; i++) {
            size_t place = next[c->latent[i]]++;
            c->row[place] = (uint32_t)r;
            c->place[i] = (uint32_t)place;
        }
}

void saei_candidates_sort(const saei_candidates *c, size_t n_latents, sae_context *context)
{
    saei_latent_slots slots = {c->latent, c->count, n_latents, c->rows, c->slots};
    sort_job job = {c, &slots};
    saei_latent_places_find(&c->places, context, &slots);
    saei_parallel_for(context, SAEI_PLACE_PARTS, move_part, &job);
}

/* The weights of the next latent come from memory while those of this one are multiplied. */
static void fetch_weights(const saei_encoder *e, size_t j)
{
    enum { LINE = 64 / sizeof(float) };
    for (size_t i = 0; i < e->d && j < e->n_latents; i += LINE)
        __builtin_prefetch(e->W_enc + j * e->d + i);
}

void saei_candidates_score(const saei_candidates *c, const saei_encoder *e, const float *xc, size_t slice)
{
    const size_t *start = c->places.start;
    size_t first = e->n_latents * slice / SAEI_SCORE_SLICES,
           end = e->n_latents * (slice + 1) / SAEI_SCORE_SLICES;
    for (size_t j = first; j < end; j++) {
        float *score = c->score + start[j];
        saei_named_rows rows = {.base = xc,
                                .stride = e->d,
                                .row = c->row + start[j],
                                .n = start[j + 1] - start[j],
                                .next = c->row + start[j + 1],
                                .n_next = start[e->n_latents] - start[j + 1]};
        fetch_weights(e, j + 1);
        saei_rows_dot(score, e->W_enc + j * e->d, &rows, e->d);
        for (size_t i = 0; i < rows.n; i++)
            score[i] = saei_kept_pre(e, j, score[i]);
    }
}
