#include "apply/density.h"

static const double rare_below = 1e-5, dense_above = 0.1;

/* A table rather than a logarithm, so that a density of 10^-k falls to the upper side of its edge. */
static size_t bin_of(double density)
{
    static const double edges[SAE_DENSITY_BINS] = {
        0,    3.16227766016837933e-8, 1e-7, 3.16227766016837933e-7, 1e-6, 3.16227766016837933e-6,
        1e-5, 3.16227766016837933e-5, 1e-4, 3.16227766016837933e-4, 1e-3, 3.16227766016837933e-3,
        1e-2, 3.16227766016837933e-2, 1e-1, 3.16227766016837933e-1};
    size_t bin = SAE_DENSITY_BINS - 1;
    while (density < edges[bin])
        bin--;
    return bin;
}

sae_densities saei_densities(const uint64_t *fires, size_t n_latents, uint64_t rows)
{
    sae_densities out = {0};
    for (size_t j = 0; j < n_latents; j++) {
        double density = (double)fires[j] / (double)rows;
        out.silent += fires[j] == 0;
        out.rare += density < rare_below;
        out.dense += density > dense_above;
        if (fires[j] > 0)
            out.bins[bin_of(density)]++;
    }
    return out;
}
