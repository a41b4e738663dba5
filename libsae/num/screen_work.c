#include "num/screen_work.h"
#include "base/memory.h"
#include "num/screen.h"

enum { SCRATCH_BYTES = 1800 * 1024, ALIGNMENT = 64, TAKEN = 10 };

/* Candidates that a row can hold: the k largest, those within the bounds of the k-th, and some to come before
   the threshold is raised. */
static size_t capacity_for(size_t k)
{
    return saei_add(saei_add(k, k / 2), 96);
}

static size_t places_for(size_t k)
{
    return saei_add(capacity_for(k), SAEI_ROW_SLACK);
}

size_t saei_screen_lines_bytes(size_t d)
{
    return saei_mul(saei_byte_lines(d), 2 * SAEI_LINE);
}

static size_t row_bytes(size_t d, size_t k)
{
    size_t candidates = saei_mul(places_for(k), 2 * sizeof(float) + sizeof(uint32_t));
    size_t known = sizeof(saei_screen_row) + sizeof(saei_fixed_bounds) + sizeof(saei_screen_query);
    return saei_add(saei_add(candidates, saei_mul(2, saei_screen_lines_bytes(d))),
                    known + sizeof(saei_screen_strip) / SAEI_STRIP);
}

/* An even part of a tile: all the weights pass the caches once for each part. */
size_t saei_screen_rows_at_once(size_t d, size_t k)
{
    size_t bytes = saei_mul(SAEI_TILE_ROWS, row_bytes(d, k));
    size_t parts = saei_min_size(bytes / SCRATCH_BYTES + 1, SAEI_TILE_ROWS / SAEI_STRIP);
    return (SAEI_TILE_ROWS / SAEI_STRIP + parts - 1) / parts * SAEI_STRIP;
}

size_t saei_screen_scratch(size_t d, size_t k)
{
    size_t bytes = saei_add(saei_mul(saei_screen_rows_at_once(d, k), row_bytes(d, k)),
                            saei_add(saei_mul(places_for(k), sizeof(uint32_t)), TAKEN * ALIGNMENT));
    return bytes / ALIGNMENT * (ALIGNMENT / sizeof(float));
}

static void *take(char **scratch, size_t bytes)
{
    char *taken = *scratch;
    *scratch += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return taken;
}

saei_screen_work saei_screen_work_new(const saei_encoder *e, float *scratch)
{
    size_t rows = saei_screen_rows_at_once(e->d, e->k), places = places_for(e->k);
    char *left = (char *)scratch;
    saei_screen_work work = {.e = e,
                             .kernel = saei_panels_kernel(e->panels),
                             .latents = saei_panels_bounds_of(e->panels),
                             .bytes = saei_panels_latent_bytes(e->panels),
                             .in_bytes = saei_panels_in_bytes(e->panels),
                             .capacity = capacity_for(e->k),
                             .rank = e->k};
    work.lines = take(&left, rows * saei_screen_lines_bytes(e->d));
    work.packed = take(&left, rows * saei_screen_lines_bytes(e->d));
    work.strips = take(&left, rows / SAEI_STRIP * sizeof *work.strips);
    work.candidates = take(&left, rows * sizeof *work.candidates);
    work.bounds = take(&left, rows * sizeof *work.bounds);
    work.queries = take(&left, rows * sizeof *work.queries);
    work.room = take(&left, places * sizeof *work.room);
    float *lower = take(&left, rows * places * sizeof(float));
    float *upper = take(&left, rows * places * sizeof(float));
    uint32_t *latent = take(&left, rows * places * sizeof(uint32_t));
    for (size_t r = 0; r < rows; r++)
        work.candidates[r] = (saei_screen_row){
            .lower = lower + r * places, .upper = upper + r * places, .latent = latent + r * places};
    return work;
}
