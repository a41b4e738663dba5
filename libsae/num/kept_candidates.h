/* Candidates of a batch's rows that are scored when all are known, latent by latent: each row of the encoder
   is read once, and what is gathered for it are rows of the batch, which stay in the last-level cache. */
#ifndef SAEI_KEPT_CANDIDATES_H
#define SAEI_KEPT_CANDIDATES_H

#include "num/encoder.h"
#include "num/latent_places.h"

#include <stdbool.h>

/* Slices of the latents, which can be scored at once. */
enum { SAEI_SCORE_SLICES = 64 };

typedef struct saei_candidates {
    size_t rows, slots;
    uint32_t *count;  /* [rows]; 0: none are kept of this row */
    float *norm;      /* [rows] */
    uint32_t *latent; /* [rows, slots] */
    uint32_t *place;  /* [rows, slots]: of the score */
    uint32_t *row;    /* [rows * slots], latent by latent */
    float *score;     /* the same */
    saei_latent_places places;
} saei_candidates;

/* Divides the room. False: it is too small, or row by row would be as fast. */
bool saei_candidates_in(saei_candidates *out, const saei_encoder *encoder, size_t rows, saei_room room);

/* False: none, or more than a row has slots. */
bool saei_candidates_keep(const saei_candidates *candidates, size_t row, const uint32_t *latent, size_t n,
                          float norm);

/* Sorts what is kept by latent. */
void saei_candidates_sort(const saei_candidates *candidates, size_t n_latents, sae_context *context);

/* Makes the scores of one slice of the latents, sorted before, saei_row_dot(x, w_j) + b_j; −INFINITY for
   those that are not above their floor. */
void saei_candidates_score(const saei_candidates *candidates, const saei_encoder *encoder, const float *xc,
                           size_t slice);

#endif
