/* The k largest scores of a row, found while the scores arrive in blocks. */
#ifndef SAEI_TOPK_H
#define SAEI_TOPK_H

#include <stddef.h>
#include <stdint.h>

/* A selection of at most k (score, latent) pairs in storage of the caller [k]; n are held, latents ascending.
 */
typedef struct saei_topk {
    float *score;
    uint32_t *latent;
    size_t k, n;
    float floor; /* only scores above it are taken: 0 for relu, -INFINITY for all */
} saei_topk;

/* Offers scores[i] for latent first + i, i < count. Latents must arrive in ascending order; of equal scores
   the lower latent stays. NaN is never taken. */
void saei_topk_offer(saei_topk *top, const float *scores, size_t count, uint32_t first);

/* A value that at most k of score [n] exceed and at least k reach. More than k of them must be above floor;
 * no NaN. */
float saei_topk_cut(const float *score, size_t n, size_t k, float floor);

#endif
