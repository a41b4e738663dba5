#include "diff/multiplicity.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

typedef struct indexed_p {
    double p;
    size_t index;
} indexed_p;

/* Ties by index, NaN last. */
static int smaller_p_first(const void *a, const void *b)
{
    const indexed_p *x = a, *y = b;
    if (isnan(x->p) != isnan(y->p))
        return isnan(x->p) ? 1 : -1;
    return x->p != y->p && !isnan(x->p) ? (x->p > y->p) - (x->p < y->p)
                                        : (x->index > y->index) - (x->index < y->index);
}

static sae_status sort_p(indexed_p **out, const double *p, size_t n, sae_context *context, sae_error *err)
{
    sae_status status = saei_alloc(out, context, n, sizeof **out, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (indexed_p){p[i], i};
    qsort(*out, n, sizeof **out, smaller_p_first);
    return SAE_OK;
}

sae_status saei_holm(double *adjusted, const double *p, size_t n, sae_context *context, sae_error *err)
{
    indexed_p *order;
    sae_status status = sort_p(&order, p, n, context, err);
    if (status != SAE_OK)
        return status;
    size_t counted = n;
    while (counted > 0 && isnan(order[counted - 1].p))
        adjusted[order[--counted].index] = (double)NAN;
    double most = 0;
    for (size_t i = 0; i < counted; i++) {
        most = fmax(most, fmin(order[i].p * (double)(counted - i), 1));
        adjusted[order[i].index] = most;
    }
    saei_free(context, order);
    return SAE_OK;
}

sae_status saei_benjamini_hochberg(double *q, const double *p, size_t n, sae_context *context, sae_error *err)
{
    return saei_false_discovery_among(q, p, n, n, context, err);
}

sae_status saei_false_discovery_among(double *q, const double *p, size_t n, size_t family,
                                      sae_context *context, sae_error *err)
{
    indexed_p *order;
    sae_status status = sort_p(&order, p, n, context, err);
    if (status != SAE_OK)
        return status;
    double least = 1;
    for (size_t i = n; i-- > 0;) {
        least = fmin(least, order[i].p * (double)family / (double)(i + 1));
        q[order[i].index] = least;
    }
    saei_free(context, order);
    return SAE_OK;
}
