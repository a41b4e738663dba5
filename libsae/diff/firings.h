/* The addends of a profile, in any number: in memory while it is ample, else in a temporary file. */
#ifndef SAEI_FIRINGS_H
#define SAEI_FIRINGS_H

#include "diff/profile.h"

typedef struct saei_firings saei_firings;

sae_status saei_firings_new(saei_firings **out, sae_context *context, size_t n_latents, sae_error *err);
void saei_firings_free(saei_firings *firings);

/* SAE_E_IO: memory is short and the temporary file cannot take them. */
sae_status saei_firings_add(saei_firings *firings, const saei_firing *firing, sae_error *err);

/* What saei_profile_new makes of them, to the bit, wherever they were kept; nothing can be added afterwards.
   When they are in a file, latents are taken by ranges, one in memory at a time. */
sae_status saei_firings_profile(saei_profile **out, saei_firings *firings, const double *id,
                                const double *weight, size_t n_prompts, sae_error *err);

#endif
