/* Whether a latent rose because it fires more often or because it is stronger when it fires. */
#ifndef SAEI_DECOMPOSITION_H
#define SAEI_DECOMPOSITION_H

#include "diff/profile.h"

/* out [n_latents], by latent. paired: the profiles hold the same prompts; it enters the standard error behind
   SAE_UNCHANGED alone. For the excess pass the control as before. With one prompt on a side there is no
   standard error, and nothing is unchanged but what has delta = 0. Allocates the effects of the two. */
sae_status saei_decompose(sae_decomposition *out, const saei_profile *before, const saei_profile *after,
                          bool paired, sae_error *err);

#endif
