#include "diff/pairing.h"
#include "base/error.h"

#include <string.h>

static bool same_ids(const saei_profile *a, const saei_profile *b)
{
    return a->n_prompts == b->n_prompts && memcmp(a->id, b->id, a->n_prompts * sizeof *a->id) == 0;
}

/* Unrelated prompts of one template agree by chance in less than half of the cases, the same prompts in
   nearly all, also with a trigger token inserted or with other responses. */
static bool enough(size_t agreeing, size_t comparable)
{
    return 3 * agreeing >= 2 * comparable;
}

static sae_status compare_tokens(size_t *agreeing, size_t *comparable, saei_side a, saei_side b,
                                 const char *group, sae_error *err)
{
    *agreeing = *comparable = 0;
    saei_prompt_tokens *of_a = NULL, *of_b = NULL;
    sae_context *context = a.profile->context;
    sae_status status = saei_prompt_tokens_read(&of_a, context, a.dump, group, err);
    if (status == SAE_OK && of_a != NULL)
        status = saei_prompt_tokens_read(&of_b, context, b.dump, group, err);
    if (status == SAE_OK && of_b != NULL)
        saei_tokens_agree(agreeing, comparable, of_a, of_b);
    saei_prompt_tokens_free(of_b);
    saei_prompt_tokens_free(of_a);
    return status;
}

sae_status saei_pairing_decide(bool *paired, saei_side a, saei_side b, const char *group, sae_pairing wanted,
                               sae_error *err)
{
    *paired = false;
    if (wanted == SAE_UNPAIRED)
        return SAE_OK;
    const char *name_a = sae_dump_name(a.dump), *name_b = sae_dump_name(b.dump);
    if (!same_ids(a.profile, b.profile)) {
        if (wanted == SAE_PAIRED)
            return saei_fail(
                err, SAE_E_MISMATCH,
                "%s and %s cannot be paired: their prompts (%zu and %zu) have different ids in column %s",
                name_a, name_b, a.profile->n_prompts, b.profile->n_prompts, group);
        return SAE_OK;
    }
    size_t agreeing, comparable;
    sae_status status = compare_tokens(&agreeing, &comparable, a, b, group, err);
    if (status != SAE_OK)
        return status;
    if (wanted == SAE_PAIRED && !enough(agreeing, comparable))
        return saei_fail(
            err, SAE_E_MISMATCH,
            "%s and %s cannot be paired: their prompts have the same ids, but the tokens agree in only "
            "%zu of %zu prompts",
            name_a, name_b, agreeing, comparable);
    *paired = enough(agreeing, comparable);
    return SAE_OK;
}
