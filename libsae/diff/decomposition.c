#include "diff/decomposition.h"
#include "base/memory.h"
#include "diff/contrast.h"

#include <math.h>

/* A latent that fires on fewer than one row in a thousand is as good as silent, and one that then fires ten
   times as often is new: without the ratio 0.0009 and 0.0011 would be told apart. */
static const double silent_below = 1e-3, new_ratio = 10;
/* The rise must stand out of its own noise before it has a kind. */
static const double standard_errors = 2;

const char *sae_change_name(sae_change change)
{
    static const char *const names[] = {"fell silent", "less often", "weakened",    "unchanged",
                                        "amplified",   "more often", "newly firing"};
    int i = (int)change - (int)SAE_FELL_SILENT;
    return i >= 0 && i < 7 ? names[i] : NULL;
}

/* A side without a level takes that of the other: then the whole difference is of frequency. */
static void split(sae_decomposition *out)
{
    double f0 = out->freq_before, f1 = out->freq_after;
    double m0 = f0 > 0 ? out->level_before : out->level_after;
    double m1 = f1 > 0 ? out->level_after : out->level_before;
    bool fires = f0 > 0 || f1 > 0;
    out->frequency = fires ? (f1 - f0) * (m0 + m1) / 2 : 0;
    out->magnitude = fires ? (m1 - m0) * (f0 + f1) / 2 : 0;
}

static sae_change kind_of(const sae_decomposition *part, double se)
{
    double rise = fabs(part->delta), sign = part->delta > 0 ? 1 : -1;
    if (rise == 0 || rise <= standard_errors * se)
        return SAE_UNCHANGED;
    double fewer = fmin(part->freq_before, part->freq_after);
    double more = fmax(part->freq_before, part->freq_after);
    bool grew = (part->freq_after > part->freq_before) == (part->delta > 0);
    int kind = SAE_AMPLIFIED;
    if (grew && fewer < silent_below && more >= new_ratio * fewer)
        kind = SAE_NEWLY_FIRING;
    else if (sign * part->frequency >= sign * part->magnitude)
        kind = SAE_MORE_OFTEN;
    return (sae_change)(sign > 0 ? kind : -kind);
}

static sae_decomposition decompose(const saei_profile *before, const saei_profile *after, size_t latent)
{
    double mean_before = saei_mean_over_prompts(before, before->activation, latent);
    double mean_after = saei_mean_over_prompts(after, after->activation, latent);
    sae_decomposition out = {.delta = mean_after - mean_before,
                             .freq_before = saei_mean_over_prompts(before, before->frequency, latent),
                             .freq_after = saei_mean_over_prompts(after, after->frequency, latent)};
    out.level_before = out.freq_before > 0 ? mean_before / out.freq_before : (double)NAN;
    out.level_after = out.freq_after > 0 ? mean_after / out.freq_after : (double)NAN;
    split(&out);
    return out;
}

sae_status saei_decompose(sae_decomposition *out, const saei_profile *before, const saei_profile *after,
                          bool paired, sae_error *err)
{
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, after, before, paired, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < after->n_latents; j++) {
        sae_contrast moments;
        saei_contrast_moments(&moments, effects, j);
        out[j] = decompose(before, after, j);
        out[j].change = kind_of(&out[j], moments.se);
    }
    saei_effects_free(effects);
    return SAE_OK;
}
