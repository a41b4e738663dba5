#include "diff/gate.h"

#include <math.h>
#include <stdio.h>

static bool poor_fit(char text[SAEI_WARNING_BYTES], const sae_fidelity *fidelity, const char *name)
{
    if (fidelity->fvu <= 0.5)
        return false;
    snprintf(
        text, SAEI_WARNING_BYTES,
        "the model does not fit %s: it leaves %.2f of the variance of its rows unexplained (at most 0.50 is "
        "wanted), so what its latents do there says little",
        name, fidelity->fvu);
    return true;
}

static bool worse_than_before(char text[SAEI_WARNING_BYTES], const sae_fidelity *fidelity, const char *name,
                              double before)
{
    if (fidelity->fvu <= 2 * before || fidelity->fvu <= before + 0.05)
        return false;
    snprintf(text, SAEI_WARNING_BYTES,
             "the model fits %s worse than the rows before: it leaves %.3f of the variance unexplained, "
             "against %.3f "
             "before; what the fine-tuning changed may lie outside its latents",
             name, fidelity->fvu, before);
    return true;
}

bool saei_gate_fidelity(char text[SAEI_WARNING_BYTES], const sae_fidelity *fidelity, const char *const *names,
                        size_t n)
{
    /* After first: it is the side a ranking is about. */
    for (size_t i = 1; i < n; i++)
        if (poor_fit(text, &fidelity[i], names[i]) ||
            worse_than_before(text, &fidelity[i], names[i], fidelity[0].fvu))
            return true;
    return poor_fit(text, &fidelity[0], names[0]);
}

bool saei_gate_prompts(char text[SAEI_WARNING_BYTES], bool paired, size_t n_y, size_t n_x)
{
    double n = (double)n_y, m = (double)n_x;
    double arrangements = paired ? exp2(n) : exp(lgamma(n + m + 1) - lgamma(n + 1) - lgamma(m + 1));
    double mirrored =
        paired || n_y == n_x ? 2 : 1; /* arrangements with the same |T| as the data, at the least */
    double least = fmin(mirrored / arrangements, 1);
    if (least <= 0.05)
        return false;
    snprintf(text, SAEI_WARNING_BYTES,
             "there are only %zu prompts after the fine-tuning and %zu to compare with: no permutation p can "
             "be below "
             "%.2g; use more prompts",
             n_y, n_x, least);
    return true;
}
