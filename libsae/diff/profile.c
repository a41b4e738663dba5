#include "diff/profile.h"
#include "base/memory.h"

#include <string.h>

static uint32_t key_of(const saei_firing *firing, bool by_latent)
{
    return by_latent ? firing->latent : firing->prompt;
}

/* Stable counting sort; start: scratch [n_keys]. */
static void sort_firings(saei_firing *out, const saei_firing *in, uint64_t n, bool by_latent, uint64_t *start,
                         size_t n_keys)
{
    memset(start, 0, n_keys * sizeof *start);
    for (uint64_t i = 0; i < n; i++)
        start[key_of(&in[i], by_latent)]++;
    uint64_t sum = 0;
    for (size_t key = 0; key < n_keys; key++) {
        uint64_t count = start[key];
        start[key] = sum;
        sum += count;
    }
    for (uint64_t i = 0; i < n; i++)
        out[start[key_of(&in[i], by_latent)]++] = in[i];
}

/* Adds firings of the same pair, which the sorts have put beside each other; returns how many pairs there
 * are. */
static uint64_t merge_firings(saei_firing *firings, uint64_t n)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < n; i++) {
        saei_firing *last = kept > 0 ? &firings[kept - 1] : NULL;
        if (last != NULL && last->latent == firings[i].latent && last->prompt == firings[i].prompt) {
            last->activation += firings[i].activation;
            last->frequency += firings[i].frequency;
        } else {
            firings[kept++] = firings[i];
        }
    }
    return kept;
}

/* By latent, then prompt, then order of arrival: two stable sorts, the lesser key first. */
static sae_status order_firings(uint64_t *n, saei_firing *firings, sae_context *context, size_t n_prompts,
                                size_t n_latents, sae_error *err)
{
    saei_firing *spare = NULL;
    uint64_t *start = NULL;
    size_t keys = n_prompts > n_latents ? n_prompts : n_latents;
    sae_status status = saei_alloc(&spare, context, (size_t)*n, sizeof *spare, err);
    if (status == SAE_OK)
        status = saei_alloc(&start, context, keys, sizeof *start, err);
    if (status == SAE_OK) {
        sort_firings(spare, firings, *n, false, start, n_prompts);
        sort_firings(firings, spare, *n, true, start, n_latents);
        *n = merge_firings(firings, *n);
    }
    saei_free(context, start);
    saei_free(context, spare);
    return status;
}

static sae_status alloc_profile(saei_profile *profile, uint64_t n, sae_error *err)
{
    sae_context *context = profile->context;
    sae_status status = saei_alloc(&profile->id, context, profile->n_prompts, sizeof *profile->id, err);
    if (status == SAE_OK)
        status = saei_alloc(&profile->ptr, context, profile->n_latents + 1, sizeof *profile->ptr, err);
    if (status == SAE_OK)
        status = saei_alloc(&profile->prompt, context, (size_t)n, sizeof *profile->prompt, err);
    if (status == SAE_OK)
        status = saei_alloc(&profile->activation, context, (size_t)n, sizeof *profile->activation, err);
    if (status == SAE_OK)
        status = saei_alloc(&profile->frequency, context, (size_t)n, sizeof *profile->frequency, err);
    return status;
}

static void fill_profile(saei_profile *profile, const saei_firing *firings, uint64_t n, const double *id,
                         const double *weight)
{
    memcpy(profile->id, id, profile->n_prompts * sizeof *id);
    for (uint64_t i = 0; i < n; i++) {
        profile->ptr[firings[i].latent + 1]++;
        profile->prompt[i] = firings[i].prompt;
        profile->activation[i] = firings[i].activation / weight[firings[i].prompt];
        profile->frequency[i] = firings[i].frequency / weight[firings[i].prompt];
    }
    for (size_t j = 0; j < profile->n_latents; j++)
        profile->ptr[j + 1] += profile->ptr[j];
}

sae_status saei_profile_new(saei_profile **out, sae_context *context, saei_firing *firings, uint64_t n,
                            const double *id, const double *weight, size_t n_prompts, size_t n_latents,
                            sae_error *err)
{
    *out = NULL;
    saei_profile *profile;
    sae_status status = saei_alloc(&profile, context, 1, sizeof *profile, err);
    if (status != SAE_OK)
        return status;
    *profile = (saei_profile){.context = context, .n_prompts = n_prompts, .n_latents = n_latents};
    status = order_firings(&n, firings, context, n_prompts, n_latents, err);
    if (status == SAE_OK)
        status = alloc_profile(profile, n, err);
    if (status != SAE_OK) {
        saei_profile_free(profile);
        return status;
    }
    fill_profile(profile, firings, n, id, weight);
    *out = profile;
    return SAE_OK;
}

void saei_profile_free(saei_profile *profile)
{
    if (profile == NULL)
        return;
    saei_free(profile->context, profile->frequency);
    saei_free(profile->context, profile->activation);
    saei_free(profile->context, profile->prompt);
    saei_free(profile->context, profile->ptr);
    saei_free(profile->context, profile->id);
    saei_free(profile->context, profile);
}
