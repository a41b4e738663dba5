#include "diff/matching.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/bin_weights.h"
#include "diff/position_bins.h"

#include <math.h>

/* Quarters of an octave: within a bin positions differ by less than a fifth, and each number below 8 has its
   own. */
enum { PER_OCTAVE = 4, LAST_OCTAVE = 24, BINS = 2 + PER_OCTAVE * LAST_OCTAVE };
/* Beyond this distance dumps would be called matched that are not. */
static const double largest_distance = 0.005;

static size_t bin_at(const saei_matching_side *side, size_t row)
{
    return saei_position_bin(side->position[row], PER_OCTAVE, LAST_OCTAVE);
}

/* count [prompts, BINS] */
static void count_rows(double *count, const saei_matching_side *side)
{
    for (size_t row = 0; row < side->rows; row++)
        count[side->groups->of_row[row] * BINS + bin_at(side, row)] += 1;
}

static void keep_common(bool *common, const double *count, size_t prompts)
{
    for (size_t b = 0; b < BINS; b++) {
        bool there = false;
        for (size_t p = 0; p < prompts && !there; p++)
            there = count[p * BINS + b] > 0;
        common[b] = common[b] && there;
    }
}

static sae_status drop_uncommon(double *count, const bool *common, const saei_matching_side *side,
                                sae_error *err)
{
    for (size_t p = 0; p < side->groups->n; p++) {
        double left = 0;
        for (size_t b = 0; b < BINS; b++)
            left += count[p * BINS + b] *= common[b] ? 1 : 0;
        if (left == 0)
            return saei_fail(err, SAE_E_MISMATCH,
                             "%s: no row of prompt %.15g has a position that all dumps have; select rows "
                             "(where) so that positions overlap",
                             side->name, side->groups->id[p]);
    }
    return SAE_OK;
}

/* The distribution whose cumulative share is everywhere the largest of the sides: of the sides that are
   ordered, the shortest. Whatever share of the prompts of a side ends before a position, this has at least as
   much there, so that each side can reach it (docs/METHODS.md). */
static void find_target(double *target, const double *share, size_t n)
{
    double largest = 0;
    for (size_t b = 0; b < BINS; b++) {
        double now = largest;
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t c = 0; c <= b; c++)
                sum += share[i * BINS + c];
            now = fmax(now, sum);
        }
        target[b] = now - largest;
        largest = now;
    }
}

typedef struct matching_work {
    const saei_matching_side *sides;
    size_t n;
    double **count; /* [n][prompts, BINS] */
    double *share;  /* [n, BINS] */
    double target[BINS];
} matching_work;

static sae_status count_all(matching_work *work, sae_context *context, sae_error *err)
{
    bool common[BINS];
    for (size_t b = 0; b < BINS; b++)
        common[b] = true;
    sae_status status = saei_alloc(&work->count, context, work->n, sizeof *work->count, err);
    if (status == SAE_OK)
        status = saei_alloc(&work->share, context, saei_mul(work->n, BINS), sizeof *work->share, err);
    for (size_t i = 0; status == SAE_OK && i < work->n; i++) {
        size_t prompts = work->sides[i].groups->n;
        status = saei_alloc(&work->count[i], context, saei_mul(prompts, BINS), sizeof **work->count, err);
        if (status != SAE_OK)
            return status;
        count_rows(work->count[i], &work->sides[i]);
        keep_common(common, work->count[i], prompts);
    }
    for (size_t i = 0; status == SAE_OK && i < work->n; i++)
        status = drop_uncommon(work->count[i], common, &work->sides[i], err);
    return status;
}

static sae_status weigh(saei_matching *matching, const matching_work *work, size_t i, sae_error *err)
{
    const saei_matching_side *side = &work->sides[i];
    double weight[BINS], share[BINS];
    double distance = saei_bin_weights(weight, share, work->count[i], work->target, side->groups->n, BINS);
    if (!(distance <= largest_distance))
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: no weights give its prompts the positions of the other dumps (%.3g of the rows "
                         "would have to be elsewhere); select rows (where) so that positions overlap",
                         side->name, distance);
    matching->distance_after = fmax(matching->distance_after, distance);
    sae_status status =
        saei_alloc(&matching->weight[i], matching->context, side->rows, sizeof **matching->weight, err);
    for (size_t row = 0; status == SAE_OK && row < side->rows; row++)
        matching->weight[i][row] = weight[bin_at(side, row)];
    return status;
}

static sae_status match(saei_matching *matching, matching_work *work, sae_error *err)
{
    sae_status status = count_all(work, matching->context, err);
    if (status != SAE_OK)
        return status;
    double equal[BINS];
    for (size_t b = 0; b < BINS; b++)
        equal[b] = 1;
    for (size_t i = 0; i < work->n; i++)
        saei_bin_shares(work->share + i * BINS, equal, work->count[i], work->sides[i].groups->n, BINS);
    find_target(work->target, work->share, work->n);
    for (size_t i = 0; status == SAE_OK && i < work->n; i++) {
        double distance = saei_bin_distance(work->share + i * BINS, work->target, BINS);
        matching->distance_before = fmax(matching->distance_before, distance);
        status = weigh(matching, work, i, err);
    }
    return status;
}

sae_status saei_matching_new(saei_matching **out, sae_context *context, const saei_matching_side *sides,
                             size_t n, sae_error *err)
{
    *out = NULL;
    saei_matching *matching;
    sae_status status = saei_alloc(&matching, context, 1, sizeof *matching, err);
    if (status != SAE_OK)
        return status;
    *matching = (saei_matching){.context = context, .n = n};
    matching_work work = {.sides = sides, .n = n};
    status = saei_alloc(&matching->weight, context, n, sizeof *matching->weight, err);
    if (status == SAE_OK)
        status = match(matching, &work, err);
    for (size_t i = 0; work.count != NULL && i < n; i++)
        saei_free(context, work.count[i]);
    saei_free(context, work.count);
    saei_free(context, work.share);
    if (status != SAE_OK) {
        saei_matching_free(matching);
        return status;
    }
    *out = matching;
    return SAE_OK;
}

void saei_matching_free(saei_matching *matching)
{
    if (matching == NULL)
        return;
    for (size_t i = 0; matching->weight != NULL && i < matching->n; i++)
        saei_free(matching->context, matching->weight[i]);
    saei_free(matching->context, matching->weight);
    saei_free(matching->context, matching);
}
