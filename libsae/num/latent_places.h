/* Where the entries of each latent lie when those of all rows are sorted by latent, rows ascending: the first
   half of a counting sort. The other half, to move what goes with an entry, is the caller's. */
#ifndef SAEI_LATENT_PLACES_H
#define SAEI_LATENT_PLACES_H

#include "sae/base.h"

#include <stdint.h>

/* Parts of the rows, counted and moved at once. */
enum { SAEI_PLACE_PARTS = 4 };

typedef struct saei_latent_places {
    size_t *start; /* [F + 1]: the first entry of each latent; of all, last */
    size_t *next;  /* [SAEI_PLACE_PARTS, F]: where the next entry of a part of the rows goes */
} saei_latent_places;

/* The latents of a batch's rows: of row r, latent[r k] to latent[r k + count[r] - 1]. */
typedef struct saei_latent_slots {
    const uint32_t *latent, *count;
    size_t n_latents, rows, k;
} saei_latent_slots;

/* Part p is rows saei_latent_part(slots, p) to saei_latent_part(slots, p + 1) - 1. */
static inline size_t saei_latent_part(const saei_latent_slots *slots, size_t part)
{
    return slots->rows * part / SAEI_PLACE_PARTS;
}

/* Fills start and next. */
void saei_latent_places_find(const saei_latent_places *places, sae_context *context,
                             const saei_latent_slots *slots);

#endif
