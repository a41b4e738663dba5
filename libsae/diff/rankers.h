/* The scores of all rankers for one study: a bad condition against before and controls, and several of them
   together. Formulas and sources: docs/METHODS.md, "Rankers". */
#ifndef SAEI_RANKERS_H
#define SAEI_RANKERS_H

#include "diff/profile.h"

/* What the rankers look at, all of it borrowed: one bad condition with the controls that belong to it. */
typedef struct saei_ranker_input {
    const sae_model *model;
    const saei_profile *before, *after;
    saei_profile *const *controls; /* [n_controls]; may be empty */
    size_t n_controls;
    const saei_profile *control; /* their saei_profile_mean; NULL without one */
    bool paired, control_paired; /* after with before, after with control: saei_pairing_decide */
    const double *residual_before, *residual_after; /* [d] of saei_residual_mean; NULL: no cos_shift */
    const saei_profile *difference; /* of a saei_difference_encoder; NULL: no difference_encoding */
    const double *attribution;      /* [F] of saei_attribution_scores; NULL: no attribution */
} saei_ranker_input;

typedef struct saei_ranker_scores {
    sae_context *context;
    size_t n_latents;
    double *score[SAE_RANKERS]; /* [n_latents] each; NULL where the input is missing or has too few prompts */
    bool *fires;                /* [n_latents] on any row of before, after or a control */
} saei_ranker_scores;

/* The rankers over one bad condition. O(what fires + F d) time. A cosine with a decoder row or a shift of
   length 0 is NaN. */
sae_status saei_ranker_scores_new(saei_ranker_scores **out, const saei_ranker_input *input, sae_error *err);
void saei_ranker_scores_free(saei_ranker_scores *scores);

/* Adds min_over_bad and mean_over_bad to conditions[0]: minimum and mean of the base score over n ≥ 1 bad
   conditions of one model. A latent without the score in one of them has none over all: NaN. Its fires become
   those of any condition. SAE_E_ARGUMENT: base is not a ranker over one condition, or was not computed. */
sae_status saei_ranker_scores_over(saei_ranker_scores *const *conditions, size_t n, sae_ranker base,
                                   sae_error *err);

#endif
