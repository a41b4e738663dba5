/* The inside of a ranking, and how it is made from profiles. */
#ifndef SAEI_RANKING_H
#define SAEI_RANKING_H

#include "diff/gate.h"
#include "diff/profile.h"

struct sae_ranking {
    sae_context *context;
    size_t n_latents, n_prompts, n_dumps;
    bool has_control, paired, control_paired;
    sae_latent_stats *stats; /* [n_latents] in rank order */
    size_t *position;        /* [n_latents] of each latent in stats */
    sae_fidelity *fidelity;  /* [n_dumps]; NULL when made from profiles */
    char warning[SAEI_WARNING_BYTES];
};

/* What is ranked. The profiles are borrowed, of one model and one grouping column. */
typedef struct saei_ranking_input {
    const saei_profile *before, *after;
    const saei_profile *control; /* NULL without one; several: their saei_profile_mean */
    bool paired, control_paired; /* after with before, after with control: saei_pairing_decide */
} saei_ranking_input;

/* Everything of sae_ranking_new but reading: no fidelity and no gate on it, a warning only of too few
   prompts. options: NULL for the defaults; group and pairing are not looked at. */
sae_status saei_ranking_compute(sae_ranking **out, sae_context *context, const saei_ranking_input *input,
                                const sae_rank_options *options, sae_error *err);

/* Brings the latents into the order of another score [n_latents] by latent: rank and score become those,
   and what was about the former order, the intervals of ranks and the held-out test, becomes NaN. The same
   scores in the same direction change nothing. */
sae_status saei_ranking_reorder(sae_ranking *ranking, const double *score, sae_direction direction,
                                sae_error *err);

/* The given options checked, defaults filled in; permutations = 0 becomes what n_latents asks for. */
sae_status saei_rank_options_read(sae_rank_options *options, const sae_rank_options *given, size_t n_latents,
                                  sae_error *err);

#endif
