/* One comparison of prompt means, Y against X, as what resampling needs: for each latent its values on the
 * units. */
#ifndef SAEI_EFFECTS_H
#define SAEI_EFFECTS_H

#include "diff/profile.h"

/* Units that are exchangeable under the null hypothesis. Paired: the n_y = n_x prompts, with y − x as the
   values. Unpaired: the n_y prompts of Y with the values y, then the n_x prompts of X with the values x.
   Sparse and latent-major; zero values are left out. */
typedef struct saei_effects {
    sae_context *context;
    bool paired;
    size_t n_y, n_x, n_latents;
    uint64_t *ptr;  /* [n_latents + 1] */
    uint32_t *unit; /* [ptr[n_latents]], ascending within a latent */
    double *value;
    bool *fires; /* [n_latents] in Y or X, also where all values cancel */
    double
        *weight; /* NULL; or [n_y] the weights of a sum over n_y units that permutations deal anew, n_x = 0 */
} saei_effects;

/* paired: the profiles hold the same prompts. SAE_E_UNSUPPORTED: 2^32 units or more. */
sae_status saei_effects_new(saei_effects **out, const saei_profile *y, const saei_profile *x, bool paired,
                            sae_error *err);
/* Room for n_values values of latents on n[0] prompts of Y and n[1] of X, to be filled in. */
sae_status saei_effects_alloc(saei_effects **out, sae_context *context, bool paired, const size_t n[2],
                              size_t n_latents, size_t n_values, sae_error *err);
void saei_effects_free(saei_effects *effects);

/* T of the data: mean of Y − mean of X, or mean difference. */
double saei_effects_estimate(const saei_effects *effects, size_t latent);

static inline size_t saei_effects_units(const saei_effects *effects)
{
    return effects->paired ? effects->n_y : effects->n_y + effects->n_x;
}

#endif
