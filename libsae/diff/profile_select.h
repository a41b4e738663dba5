/* Parts of a profile. */
#ifndef SAEI_PROFILE_SELECT_H
#define SAEI_PROFILE_SELECT_H

#include "diff/profile.h"

/* A profile of some latents on some prompts. latents [n_latents], in any order: entry i of the result is
   latents[i]; NULL: all. prompts [n_prompts]: ascending indices of prompts of the profile; NULL: all.
   SAE_E_NOT_FOUND: a latent that the profile does not have. */
sae_status saei_profile_select(saei_profile **out, const saei_profile *profile, const uint32_t *latents,
                               size_t n_latents, const uint32_t *prompts, size_t n_prompts, sae_error *err);

/* The prompts whose ids every profile holds: *index[c] = ascending indices of them in profile c, n each. Free
   each with saei_free. index has room for n_profiles; on failure all are NULL. */
sae_status saei_profile_common(uint32_t **index, size_t *n, const saei_profile *const *profiles,
                               size_t n_profiles, sae_error *err);

/* Mean over all prompts of the activation of a latent. */
double saei_profile_latent_mean(const saei_profile *profile, size_t latent);

#endif
