#include "base/memory.h"
#include "diff/confirmation.h"

#include <math.h>
#include <stdlib.h>

typedef struct numbered_p {
    double p;
    size_t index;
} numbered_p;

static int smaller_first(const void *a, const void *b)
{
    const numbered_p *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p) : (x->index > y->index) - (x->index < y->index);
}

sae_status saei_holm(double *adjusted, const double *p, size_t n, sae_context *context, sae_error *err)
{
    numbered_p *order;
    sae_status status = saei_alloc(&order, context, n, sizeof *order, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        order[i] = (numbered_p){p[i], i};
    qsort(order, n, sizeof *order, smaller_first);
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fmin(order[i].p * (double)(n - i), 1));
        adjusted[order[i].index] = most;
    }
    saei_free(context, order);
    return SAE_OK;
}
