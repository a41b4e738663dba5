#include "num/topk.h"
#include "num/simd.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { GROUP = 32, PENDING = 128 };

/* Pairs that were above the least score held when they came, latents ascending and above all held ones. They
   wait until there are many: one selection among many costs less than as many insertions. */
typedef struct pending_pairs {
    float score[PENDING];
    uint32_t latent[PENDING];
    size_t n;
} pending_pairs;

/* The floats in ascending order, numbered so that ±0 is 0 and neighbours differ by 1. */
static inline int32_t place_of_float(float x)
{
    float magnitude = fabsf(x);
    int32_t place;
    memcpy(&place, &magnitude, sizeof place);
    return x < 0.0f ? -place : place;
}

static inline float float_at_place(int32_t place)
{
    int32_t magnitude = place < 0 ? -place : place;
    float x;
    memcpy(&x, &magnitude, sizeof x);
    return place < 0 ? -x : x;
}

static inline size_t count_above(const float *score, size_t n, float x)
{
    int32_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += score[i] > x;
    return (size_t)above;
}

typedef struct score_span {
    const float *score;
    size_t n;
} score_span;

static inline float largest(score_span span)
{
    /* In lanes, for compilers keep the order of comparisons of floats. */
    enum { LANES = 8 };
    float lane[LANES], most = -INFINITY;
    for (size_t l = 0; l < LANES; l++)
        lane[l] = -INFINITY;
    size_t i = 0;
    for (; i + LANES <= span.n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = span.score[i + l] > lane[l] ? span.score[i + l] : lane[l];
    for (; i < span.n; i++)
        most = span.score[i] > most ? span.score[i] : most;
    for (size_t l = 0; l < LANES; l++)
        most = lane[l] > most ? lane[l] : most;
    return most;
}

/* x such that at most k of the n > k scores above the floor are above it, and at least k above it or equal to
   it; *above is how many. The scores are those of two arrays. Bisection over the floats: unlike in a heap or
   quickselect, no branch depends on a score. */
static inline float cut(size_t *above, score_span one, score_span two, size_t k, float floor)
{
    float most = fmaxf(largest(one), largest(two));
    int32_t low = place_of_float(floor), high = place_of_float(most);
    *above = 0;
    /* More than k are above low, at most k above high. */
    while ((int64_t)high - low > 1) {
        int32_t middle = (int32_t)(((int64_t)low + high) / 2);
        float x = float_at_place(middle);
        size_t n = count_above(one.score, one.n, x) + count_above(two.score, two.n, x);
        if (n <= k) {
            high = middle;
            *above = n;
        } else {
            low = middle;
        }
        if (n == k)
            break;
    }
    return float_at_place(high);
}

SAEI_CLONES float saei_topk_cut(const float *score, size_t n, size_t k, float floor)
{
    size_t above;
    return cut(&above, (score_span){score, n}, (score_span){score, 0}, k, floor);
}

/* Appends to the selection the pairs above x and, while *ties lasts, those equal to x. The pairs may be those
   of the selection itself, emptied. */
static inline void keep(saei_topk *top, const float *score, const uint32_t *latent, size_t n, float x,
                        size_t *ties)
{
    for (size_t i = 0; i < n; i++) {
        bool tie = score[i] == x && *ties > 0;
        if (score[i] > x || tie) {
            top->score[top->n] = score[i];
            top->latent[top->n++] = latent[i];
            *ties -= tie;
        }
    }
}

/* Brings the pending pairs into the selection. */
static inline void settle(saei_topk *top, pending_pairs *pending)
{
    float x = top->floor;
    size_t above, ties = 0, held = top->n;
    if (held + pending->n > top->k) {
        score_span held_scores = {top->score, held}, pending_scores = {pending->score, pending->n};
        x = cut(&above, held_scores, pending_scores, top->k, top->floor);
        ties = top->k - above;
        top->n = 0;
        keep(top, top->score, top->latent, held, x, &ties);
    }
    keep(top, pending->score, pending->latent, pending->n, x, &ties);
    pending->n = 0;
}

static inline float threshold(const saei_topk *top)
{
    if (top->n < top->k)
        return top->floor;
    float least = INFINITY;
    for (size_t i = 0; i < top->n; i++)
        least = top->score[i] < least ? top->score[i] : least;
    return least;
}

/* Bit l tells whether scores[l] is above x, l < GROUP. */
static inline uint32_t mask_above(const float *scores, float x)
{
    uint32_t mask = 0;
    for (unsigned l = 0; l < GROUP; l++)
        mask |= (uint32_t)(scores[l] > x) << l;
    return mask;
}

static inline void push(pending_pairs *pending, float score, uint32_t latent)
{
    pending->score[pending->n] = score;
    pending->latent[pending->n++] = latent;
}

SAEI_CLONES void saei_topk_offer(saei_topk *top, const float *scores, size_t count, uint32_t first)
{
    pending_pairs pending;
    pending.n = 0;
    float least = threshold(top);
    size_t i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        if (pending.n > PENDING - GROUP) {
            settle(top, &pending);
            least = threshold(top);
        }
        uint32_t mask = mask_above(scores + i, least);
        for (; mask != 0; mask &= mask - 1) {
            uint32_t l = (uint32_t)__builtin_ctz(mask);
            push(&pending, scores[i + l], first + (uint32_t)i + l);
        }
    }
    if (pending.n > PENDING - GROUP)
        settle(top, &pending);
    for (; i < count; i++)
        if (scores[i] > least)
            push(&pending, scores[i], first + (uint32_t)i);
    settle(top, &pending);
}
