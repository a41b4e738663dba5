#include "apply/auroc.h"
#include "num/order.h"

#include <math.h>

/* Mean and sample variance of the placements V_i = (#{b < a_i} + #{b = a_i} / 2) / n of a among b, both
 * sorted. */
static void placements(double *mean, double *variance, const double *a, size_t m, const double *b, size_t n)
{
    double sum = 0, squares = 0;
    size_t below = 0, upto = 0;
    for (size_t i = 0; i < m; i++) {
        while (below < n && b[below] < a[i])
            below++;
        while (upto < n && b[upto] <= a[i])
            upto++;
        double v = ((double)below + (double)(upto - below) / 2) / (double)n;
        sum += v;
        squares += v * v;
    }
    *mean = sum / (double)m;
    /* 0 / 0 = NaN for m = 1. Placements lie in [0, 1], so the difference of squares loses nothing that
     * matters. */
    *variance = fmax(squares - sum * *mean, 0) / (double)(m - 1);
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

sae_auroc_result saei_auroc(double *positive, size_t m, double *negative, size_t n)
{
    saei_sort_doubles(positive, m);
    saei_sort_doubles(negative, n);
    double auroc, complement, s10, s01;
    placements(&auroc, &s10, positive, m, negative, n);
    placements(&complement, &s01, negative, n, positive, m);
    return (sae_auroc_result){.auroc = auroc,
                              .se = sqrt(s10 / (double)m + s01 / (double)n),
                              .n_positive = m,
                              .n_negative = n,
                              .mean_positive = mean_of(positive, m),
                              .mean_negative = mean_of(negative, n)};
}

sae_status sae_auroc(sae_auroc_result *out, const sae_model *model, const sae_dump *dump, uint32_t latent,
                     const char *label, const char *group, sae_progress_fn progress, void *user,
                     sae_error *err)
{
    const sae_label labels = {.condition = label, .group = group};
    return sae_model_describe(out, model, dump, &labels, 1, &latent, 1, progress, user, err);
}
