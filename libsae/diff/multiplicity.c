#include "diff/multiplicity.h"
#include "diff/contrast.h"

#include <math.h>

/* p (m − r) for the p-value with r others before it in the order, index deciding ties. */
static double holm_step(const double *p, size_t n, size_t i)
{
    size_t counted = 0, before = 0;
    for (size_t k = 0; k < n; k++) {
        if (!isnan(p[k]))
            counted++;
        if (p[k] < p[i] || (p[k] == p[i] && k < i))
            before++;
    }
    return p[i] * (double)(counted - before);
}

/* The largest step up to its own place, which makes the corrected values monotone. */
void saei_holm(double *adjusted, const double *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double most = isnan(p[i]) ? (double)NAN : 0;
        for (size_t k = 0; k < n; k++)
            if (p[k] < p[i] || (p[k] == p[i] && k <= i))
                most = fmax(most, holm_step(p, n, k));
        adjusted[i] = isnan(most) ? most : fmin(most, 1);
    }
}

sae_status saei_false_discovery_among(double *q, const double *p, size_t n, size_t family,
                                      sae_context *context, sae_error *err)
{
    sae_status status = saei_benjamini_hochberg(q, p, n, context, err);
    /* min(1, min p n / i) becomes min(1, min p family / i): the ones of the others leave the minimum alone.
     */
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        q[i] = fmin(q[i] * ((double)family / (double)n), 1);
    return status;
}
