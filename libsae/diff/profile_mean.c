#include "apply/groups.h"
#include "base/memory.h"
#include "diff/firings.h"

#include <string.h>

/* The prompts of all profiles, one after the other. */
static sae_status union_of_prompts(saei_groups **out, saei_profile *const *profiles, size_t n, sae_error *err)
{
    sae_context *context = profiles[0]->context;
    size_t total = 0;
    for (size_t c = 0; c < n; c++)
        total += profiles[c]->n_prompts;
    double *id;
    sae_status status = saei_alloc(&id, context, total, sizeof *id, err);
    if (status != SAE_OK)
        return status;
    total = 0;
    for (size_t c = 0; c < n; c++) {
        memcpy(id + total, profiles[c]->id, profiles[c]->n_prompts * sizeof *id);
        total += profiles[c]->n_prompts;
    }
    status = saei_groups_new(out, context, id, total, "control", err);
    saei_free(context, id);
    return status;
}

static sae_status add_profile(saei_firings *firings, const saei_profile *profile, const uint32_t *prompt_map,
                              sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t j = 0; j < profile->n_latents; j++)
        for (uint64_t i = profile->ptr[j]; status == SAE_OK && i < profile->ptr[j + 1]; i++) {
            saei_firing firing = {(uint32_t)j, prompt_map[profile->prompt[i]], profile->activation[i],
                                  profile->frequency[i]};
            status = saei_firings_add(firings, &firing, err);
        }
    return status;
}

static sae_status mean_over(saei_profile **out, saei_profile *const *profiles, size_t n,
                            const saei_groups *prompts, sae_error *err)
{
    sae_context *context = profiles[0]->context;
    saei_firings *firings = NULL;
    double *holders = NULL;
    sae_status status = saei_firings_new(&firings, context, profiles[0]->n_latents, err);
    if (status == SAE_OK)
        status = saei_alloc(&holders, context, prompts->n, sizeof *holders, err);
    for (size_t g = 0; status == SAE_OK && g < prompts->n; g++)
        holders[g] = (double)prompts->rows[g];
    for (size_t c = 0, first = 0; status == SAE_OK && c < n; first += profiles[c++]->n_prompts)
        status = add_profile(firings, profiles[c], prompts->of_row + first, err);
    if (status == SAE_OK)
        status = saei_firings_profile(out, firings, prompts->id, holders, prompts->n, err);
    saei_free(context, holders);
    saei_firings_free(firings);
    return status;
}

sae_status saei_profile_mean(saei_profile **out, saei_profile *const *profiles, size_t n, sae_error *err)
{
    *out = NULL;
    saei_groups *prompts = NULL;
    sae_status status = union_of_prompts(&prompts, profiles, n, err);
    if (status == SAE_OK)
        status = mean_over(out, profiles, n, prompts, err);
    saei_groups_free(prompts);
    return status;
}
