/* One comparison of a ranking, from profiles. */
#ifndef SAEI_PROFILE_CONTRAST_H
#define SAEI_PROFILE_CONTRAST_H

#include "diff/ranking.h"

/* out [n_latents]: Y against X. options: read (saei_rank_options_read). */
sae_status saei_profile_contrast(sae_contrast *out, const saei_profile *y, const saei_profile *x, bool paired,
                                 const sae_rank_options *options, sae_error *err);

/* The same for the comparison whose estimate is the score: fills rank_low, rank_high, heldout_estimate and
   heldout_p of stats [n_latents], which are by latent, as well. */
sae_status saei_ranked_contrast(sae_contrast *out, sae_latent_stats *stats, const saei_profile *y,
                                const saei_profile *x, bool paired, const sae_rank_options *options,
                                sae_error *err);

#endif
