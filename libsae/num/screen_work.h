/* What the files of screening share: everything of a worker, in its scratch. */
#ifndef SAEI_SCREEN_WORK_H
#define SAEI_SCREEN_WORK_H

#include "num/encoder.h"
#include "num/panels.h"
#include "num/screen_kernel.h"
#include "num/screen_row.h"

/* What is known of a packed row. */
typedef struct saei_screen_query {
    float unit;
    saei_screen_bound bound;         /* of scores from wide numbers, or from all bytes */
    const char *high, *low;          /* in bytes: [n_lines, SAEI_LINE] each */
    int32_t high_offset, low_offset; /* 128 Σ h and 128 Σ l */
    float low_norm;                  /* at least that of the row's low bytes, times its unit */
} saei_screen_query;

/* Some rows of the tile at a time, so that it stays small. */
typedef struct saei_screen_work {
    const saei_encoder *e;
    const saei_screen_kernel *kernel;
    const saei_fixed_bounds *latents;
    saei_latent_bytes bytes; /* of these, when in bytes */
    bool in_bytes;
    float start;
    const float *xc;
    const size_t *row; /* [n_rows] of xc that are screened */
    size_t n_rows, capacity;
    char *lines;  /* the packed rows; wide ones only until they are in their strip */
    char *packed; /* [strips, 16 n_lines units, SAEI_STRIP, SAEI_UNIT] */
    saei_screen_strip *strips;
    size_t rank;                 /* of the lower bounds towards which thresholds rise now */
    saei_screen_row *candidates; /* [n_rows], and the padding of the last strip */
    uint32_t *room;              /* for the latents of one of these */
    saei_fixed_bounds *bounds;   /* of the same */
    saei_screen_query *queries;  /* of the same */
} saei_screen_work;

/* Divides the scratch of a worker; rows are to be listed. */
saei_screen_work saei_screen_work_new(const saei_encoder *encoder, float *scratch);

/* Rows that a worker can hold, whole strips. */
size_t saei_screen_rows_at_once(size_t d, size_t k);

/* Bytes of a row's lines; its part of a strip has as many at most. */
size_t saei_screen_lines_bytes(size_t d);

static inline size_t saei_screen_strips(const saei_screen_work *work)
{
    return (work->n_rows + SAEI_STRIP - 1) / SAEI_STRIP;
}

static inline const float *saei_screen_row_at(const saei_screen_work *work, size_t r)
{
    return work->xc + work->row[r] * work->e->d;
}

/* Packs the listed rows, without candidates and with the threshold that they begin with: NaN for rows whose
   scores cannot be bounded. */
void saei_screen_rows_start(const saei_screen_work *work);

/* Collects the candidates of the rows among all latents. With a start, thresholds rise as far as is likely
   right, so that in the end it must be seen whether they did not rise too far. */
void saei_screen_rows_pass(saei_screen_work *work, saei_screen_counts *counts);

#endif
