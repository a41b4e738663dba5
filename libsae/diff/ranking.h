/* The inside of a ranking. */
#ifndef SAEI_RANKING_H
#define SAEI_RANKING_H

#include "diff/gate.h"

struct sae_ranking {
    sae_context *context;
    size_t n_latents, n_prompts, n_dumps;
    bool has_control, paired, control_paired;
    sae_latent_stats *stats; /* [n_latents] in rank order */
    size_t *position;        /* [n_latents] of each latent in stats */
    sae_fidelity *fidelity;  /* [n_dumps] */
    char warning[SAEI_WARNING_BYTES];
};

#endif
