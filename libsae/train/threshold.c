/* BatchTopK's threshold: the quantile of the held-out pre-activations that leaves k active latents a row. */
#include "train/trainer.h"

#include <string.h>

/* Adds the codes of the held-out rows to the bins: by the upper half of their bits, or, within one of those,
   by the lower. Positive floats are ordered as their bits are. */
static sae_status fill_bins(sae_trainer *t, uint32_t upper, bool lower, uint64_t *rows, sae_error *err)
{
    saei_objective *o = &t->objective;
    saei_penalty penalty = {0};
    uint64_t total = saei_trainer_heldout_rows(t);
    memset(t->bins, 0, SAEI_QUANTILE_BINS * sizeof *t->bins);
    for (*rows = 0; *rows < total;) {
        size_t n = total - *rows < t->options.batch_rows ? (size_t)(total - *rows) : t->options.batch_rows;
        sae_status status = saei_trainer_read_heldout(t, *rows, n, err);
        if (status != SAE_OK)
            return status;
        o->fixed_threshold = 0.0f;
        saei_objective_forward(o, &t->parameters, &penalty, (float)t->scale, n);
        for (size_t r = 0; r < n; r++)
            for (size_t i = r * o->slots; i < r * o->slots + o->codes.count[r]; i++) {
                uint32_t bits;
                memcpy(&bits, &o->codes.value[i], sizeof bits);
                if (!lower)
                    t->bins[bits >> 16]++;
                else if (bits >> 16 == upper)
                    t->bins[bits & 0xffff]++;
            }
        *rows += n;
    }
    return SAE_OK;
}

/* The bin in which the value lies that *skip larger ones precede; *skip becomes that number within the bin.
 */
static uint32_t find_bin(const uint32_t *bins, uint64_t *skip)
{
    uint32_t bin = SAEI_QUANTILE_BINS - 1;
    for (; bin > 0 && bins[bin] <= *skip; bin--)
        *skip -= bins[bin];
    return bin;
}

static double value_at(uint32_t upper, uint32_t lower)
{
    uint32_t bits = upper << 16 | lower;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* Between the value in this bin and the next larger one, where no rounding of the model brings one over it.
 */
static double threshold_above(const uint32_t *bins, uint32_t upper, uint32_t lower)
{
    uint32_t next = lower + 1;
    while (next < SAEI_QUANTILE_BINS && bins[next] == 0)
        next++;
    double value = value_at(upper, lower);
    return next < SAEI_QUANTILE_BINS ? 0.5 * (value + value_at(upper, next)) : value;
}

sae_status saei_trainer_calibrate(sae_trainer *t, sae_error *err)
{
    uint64_t rows, skip;
    sae_status status = fill_bins(t, 0, false, &rows, err);
    if (status != SAE_OK || rows == 0)
        return status;
    skip = rows * t->options.k;
    uint32_t upper = find_bin(t->bins, &skip);
    status = fill_bins(t, upper, true, &rows, err);
    if (status != SAE_OK)
        return status;
    uint32_t lower = find_bin(t->bins, &skip);
    /* The value itself is the first to be left out; with ties on both sides of it no threshold is exact. */
    t->threshold = skip == 0 ? threshold_above(t->bins, upper, lower) : value_at(upper, lower);
    return SAE_OK;
}
