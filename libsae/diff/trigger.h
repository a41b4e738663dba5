/* Backdoors: what a latent does with the trigger, and what it does without. */
#ifndef SAEI_TRIGGER_H
#define SAEI_TRIGGER_H

#include "diff/profile.h"

typedef struct saei_trigger {
    const saei_profile *after_with, *after_without;
    const saei_profile *before_with, *before_without; /* both or neither (NULL) */
    const saei_profile *reference; /* of the standing elevation: a control, or before without trigger */
    bool reference_paired;         /* it holds the prompts of after_without */
    const uint32_t *latents;       /* [n_latents]; NULL: all */
    size_t n_latents;
    double alpha;          /* of the warning */
    uint64_t permutations; /* 0: 40 per latent of the model, 10^4 … 10^6 */
    size_t bootstrap;
    double confidence;
    uint64_t seed;
    sae_progress_fn progress; /* may be NULL */
    void *progress_user;
} saei_trigger;

/* responses [n_latents] (all latents of the model without a list). q counts all latents of the model, those
   not listed with p = 1; t takes its s0 from the latents listed. Prompts are matched by id, whatever their
   lengths; those that some condition lacks are left out of the contrast. SAE_E_MISMATCH: fewer than two
   prompts in common, or models of different sizes; SAE_E_ARGUMENT: only one of the before conditions. */
sae_status saei_trigger_contrast(sae_trigger_response *responses, sae_trigger_matching *matching,
                                 const saei_trigger *trigger, sae_error *err);

#endif
