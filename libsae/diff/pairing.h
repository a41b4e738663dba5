/* Whether two dumps hold the same prompts. */
#ifndef SAEI_PAIRING_H
#define SAEI_PAIRING_H

#include "diff/profile.h"

/* One side of a comparison. */
typedef struct saei_side {
    const sae_dump *dump;
    const saei_profile *profile;
} saei_side;

/* The prompts are the same when their ids are and, since ids 0, 1, … of unrelated prompt files coincide too,
   when the tokens do not speak against it (saei_tokens_agree). SAE_PAIRED: SAE_E_MISMATCH when they are not.
 */
sae_status saei_pairing_decide(bool *paired, saei_side a, saei_side b, const char *group, sae_pairing wanted,
                               sae_error *err);

/* The tokens of each prompt, sorted: those of prompt p are token[ptr[p]] .. token[ptr[p + 1] - 1]. */
typedef struct saei_prompt_tokens {
    sae_context *context;
    size_t n_prompts;
    uint64_t *ptr;
    double *token;
    bool prompt_only; /* continuation rows could be told apart and were left out */
} saei_prompt_tokens;

/* From the columns token_ids, is_continuation (when there is one) and group; *out is NULL without token_ids.
 */
sae_status saei_prompt_tokens_read(saei_prompt_tokens **out, sae_context *context, const sae_dump *dump,
                                   const char *group, sae_error *err);
void saei_prompt_tokens_free(saei_prompt_tokens *tokens);

/* Counts the prompts with tokens on both sides, and among them those that agree: p of a shares tokens (as
   multisets, as a fraction of the fewer) with p of b, more than with the next prompt of b unless it shares
   all; and at least half of them when both sides are prompt_only. */
void saei_tokens_agree(size_t *agreeing, size_t *comparable, const saei_prompt_tokens *a,
                       const saei_prompt_tokens *b);

#endif
