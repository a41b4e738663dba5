/* Profiles from dense tables, for tests. Everything asserts that it succeeds. */
#ifndef DENSE_PROFILE_H
#define DENSE_PROFILE_H

#include "diff/profile.h"
#include "../tools/fixture.h"

/* values [n_prompts, n_latents]; id [n_prompts] ascending, NULL: 0, 1, … A latent fires where it is not 0. */
static inline saei_profile *dense_profile(sae_context *context, const double *values, const double *id,
                                          size_t n_prompts, size_t n_latents)
{
    saei_firing *firings = malloc((n_prompts * n_latents + 1) * sizeof *firings);
    double *ids = malloc(n_prompts * sizeof *ids), *weight = malloc(n_prompts * sizeof *weight);
    ck_assert(firings != NULL && ids != NULL && weight != NULL);
    uint64_t n = 0;
    for (size_t p = 0; p < n_prompts; p++) {
        ids[p] = id != NULL ? id[p] : (double)p;
        weight[p] = 1;
        for (size_t j = 0; j < n_latents; j++)
            if (values[p * n_latents + j] != 0)
                firings[n++] = (saei_firing){(uint32_t)j, (uint32_t)p, values[p * n_latents + j], 1};
    }
    saei_profile *profile;
    ck_assert_int_eq(saei_profile_new(&profile, context, firings, n, ids, weight, n_prompts, n_latents, NULL),
                     SAE_OK);
    free(weight);
    free(ids);
    free(firings);
    return profile;
}

/* The same from an array of a fixture file. */
static inline saei_profile *fixture_profile(sae_context *context, const char *path, const char *name,
                                            size_t n_latents)
{
    size_t n;
    double *values = fixture(path, name, &n);
    saei_profile *profile = dense_profile(context, values, NULL, n / n_latents, n_latents);
    free(values);
    return profile;
}

/* A Monte Carlo p against the exact one: six standard errors of the share, which the sequential rule stops at
   100 exceedances. */
static inline void assert_monte_carlo(double p, double exact, double draws, const char *what)
{
    double settled = exact * draws > 100 ? 100 : exact * draws;
    double error = p > exact ? p - exact : exact - p, bound = 36 * exact * exact / settled;
    ck_assert_msg(error * error <= bound, "%s: %g, exact %g", what, p, exact);
}

#endif
