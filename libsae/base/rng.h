/* Random numbers that depend on (seed, stream) alone, so that any part of a run can be replayed. */
#ifndef SAEI_RNG_H
#define SAEI_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What the numbers are for: two uses of one seed never share a sequence. */
typedef enum saei_stream {
    SAEI_STREAM_INIT = 1,
    SAEI_STREAM_HELDOUT,
    SAEI_STREAM_BLOCKS,
    SAEI_STREAM_ROWS,
    SAEI_STREAM_PERMUTE,
    SAEI_STREAM_BOOTSTRAP,
    SAEI_STREAM_RESAMPLE,
    SAEI_STREAM_SHUFFLE,
    SAEI_STREAM_MATCH,
    SAEI_STREAM_HALVES = 32 /* fixtures repeat the number */
} saei_stream;

/* xoshiro256** (Blackman & Vigna 2021), seeded through SplitMix64. */
typedef struct saei_rng {
    uint64_t s[4];
} saei_rng;

/* A generator for item `index` of `stream` (an epoch, a permutation block …). */
saei_rng saei_rng_new(uint64_t seed, saei_stream stream, uint64_t index);
uint64_t saei_rng_next(saei_rng *rng);
uint64_t saei_rng_below(saei_rng *rng, uint64_t n); /* uniform in 0 .. n - 1, n > 0, without bias */
double saei_rng_uniform(saei_rng *rng);             /* in [0, 1), 53 bits */
double saei_rng_normal(saei_rng *rng);              /* mean 0, variance 1 */
void saei_rng_shuffle(saei_rng *rng, uint64_t *items, size_t n); /* Fisher–Yates */

#endif
