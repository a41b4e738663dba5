#include "num/screen_row.h"
#include "base/memory.h"
#include "num/simd.h"
#include "num/topk.h"

#include <math.h>
#include <string.h>

/* docs/NUMERICS.md has the terms: 16 roundings beside those of the product in its stated order, and a factor
   for what is of second order, the roundings of the bound included. */
saei_screen_bound saei_screen_bound_of(float norm, float error, size_t d, float bias_max)
{
    const double u = 0x1p-24, up = 1.0 + 0x1p-18;
    double roundings = (double)(d / 16 + 1 + 5 + 16), gamma = roundings * u / (1.0 - roundings * u);
    return (saei_screen_bound){.per_norm = (float)(up * ((double)error + gamma * (double)norm)),
                               .per_error = (float)(up * ((double)norm + (double)error)),
                               .constant = (float)(up * (8.0 * u * (double)bias_max + 0x1p-120))};
}

enum { LANES = 8, GROUP = SAEI_ROW_SLACK, ROUNDS = 8, FEW = 12 };

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef floats loaded_floats __attribute__((aligned(4), may_alias));

static inline size_t count_above(const float *score, size_t n, float x)
{
    int32_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += score[i] > x;
    return (size_t)above;
}

/* The least and the largest of the scores above x; n ≥ LANES. In lanes, for compilers keep the order of
   comparisons of floats. */
static inline void range_above(float *least, float *most, const float *score, size_t n, float x)
{
    floats low = INFINITY - (floats){0}, high = -low;
    for (size_t i = 0; i < n; i += LANES) {
        floats s = *(const loaded_floats *)(score + saei_min_size(i, n - LANES));
        integers lower = (s > x) & (s < low), higher = (s > x) & (s > high);
        low = (floats)(((integers)s & lower) | ((integers)low & ~lower));
        high = (floats)(((integers)s & higher) | ((integers)high & ~higher));
    }
    *least = INFINITY;
    *most = -INFINITY;
    for (size_t l = 0; l < LANES; l++) {
        *least = low[l] < *least ? low[l] : *least;
        *most = high[l] > *most ? high[l] : *most;
    }
}

/* The largest number found in a few steps of bisection that more than k of the n ≥ LANES scores are above;
   they are above x. */
static inline float nearly_cut(const float *score, size_t n, size_t k, float x)
{
    float low = x, middle, high;
    range_above(&middle, &high, score, n, x);
    for (int round = 0; round < ROUNDS && middle > low && middle < high; round++) {
        size_t above = count_above(score, n, middle);
        if (above > k)
            low = middle;
        else
            high = middle;
        if (above > k && above <= k + k / 8 + 2)
            break;
        middle = low + 0.5f * (high - low);
    }
    return low;
}

/* Bit l tells whether score[l] reaches x, l < GROUP. */
static inline uint32_t mask_reaching(const float *score, float x)
{
    integers bit = {1, 2, 4, 8, 16, 32, 64, 128}, mask = {0};
    uint32_t bits = 0;
    for (int i = 0; i < GROUP; i += LANES, bit <<= LANES)
        mask |= (*(const loaded_floats *)(score + i) >= x) & bit;
    for (int l = 0; l < LANES; l++)
        bits |= (uint32_t)mask[l];
    return bits;
}

/* Candidates that do not reach the threshold leave. Few stay, so it goes from one of these to the next. */
static inline void drop_below_threshold(saei_screen_row *row)
{
    uint32_t kept = 0;
    for (uint32_t first = 0; first < row->n; first += GROUP) {
        uint32_t mask = mask_reaching(row->upper + first, row->threshold), left = row->n - first;
        if (left < GROUP)
            mask &= (UINT32_C(1) << left) - 1;
        for (; mask != 0; mask &= mask - 1) {
            uint32_t i = first + (uint32_t)__builtin_ctz(mask);
            row->lower[kept] = row->lower[i];
            row->upper[kept] = row->upper[i];
            row->latent[kept++] = row->latent[i];
        }
    }
    row->n = kept;
}

SAEI_CLONES void saei_screen_row_settle(saei_screen_row *row, size_t k)
{
    if (count_above(row->lower, row->n, row->threshold) > k)
        row->threshold = saei_topk_cut(row->lower, row->n, k, row->threshold);
    drop_below_threshold(row);
}

void saei_screen_row_start(saei_screen_row *row, float threshold)
{
    row->threshold = threshold;
    row->n = 0;
    row->raise_at = 2 * LANES;
}

SAEI_CLONES void saei_screen_row_raise(saei_screen_row *row, size_t rank, size_t capacity)
{
    if (row->n >= LANES && count_above(row->lower, row->n, row->threshold) > rank)
        row->threshold = nearly_cut(row->lower, row->n, rank, row->threshold);
    drop_below_threshold(row);
    if (row->n + FEW > capacity)
        saei_screen_row_settle(row, rank);
    if (row->n + FEW > capacity) {
        row->threshold = NAN;
        row->n = 0;
    }
    /* More of them cost a raise, fewer let more hits come: measured for k 32. */
    row->raise_at = (uint32_t)saei_min_size(row->n + LANES + rank / 2, capacity);
}

/* The end of the ascending run that begins at `first`. */
static size_t run_end(const uint32_t *a, size_t first, size_t n)
{
    size_t i = saei_min_size(first + 1, n);
    while (i < n && a[i - 1] < a[i])
        i++;
    return i;
}

/* Merges two runs, without a branch on what cannot be foreseen. */
static void merge(uint32_t *to, const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    while (n_a > 0 && n_b > 0) {
        bool first = *a < *b;
        *to++ = first ? *a : *b;
        a += first;
        n_a -= first;
        b += !first;
        n_b -= !first;
    }
    memcpy(to, n_a > 0 ? a : b, (n_a + n_b) * sizeof *to);
}

/* Merges each run of `from` with the next one into `to`. Returns how many runs that makes. */
static size_t merge_runs(uint32_t *to, const uint32_t *from, size_t n)
{
    size_t runs = 0;
    for (size_t first = 0, end; first < n; first = end, runs++) {
        size_t middle = run_end(from, first, n);
        end = run_end(from, middle, n);
        merge(to + first, from + first, middle - first, from + middle, end - middle);
    }
    return runs;
}

void saei_screen_row_sort(saei_screen_row *row, uint32_t *room)
{
    size_t runs;
    do {
        runs = merge_runs(room, row->latent, row->n);
        memcpy(row->latent, room, row->n * sizeof *room);
    } while (runs > 1);
}

bool saei_screen_row_has(const saei_screen_row *row, size_t k)
{
    size_t reaching = 0;
    for (uint32_t i = 0; i < row->n; i++)
        reaching += row->lower[i] >= row->threshold;
    return reaching >= k;
}
