#include "diff/profile.h"
#include "base/memory.h"
#include "io/scratch.h"

#include <string.h>

/* What firings are sorted by: the prompt, or the latent counted from first_latent on. */
typedef struct sort_key {
    bool by_latent;
    size_t first_latent, n_keys;
} sort_key;

static size_t key_of(const saei_firing *firing, sort_key key)
{
    return key.by_latent ? firing->latent - key.first_latent : firing->prompt;
}

/* Stable counting sort; start: scratch [key.n_keys]. */
static void sort_firings(saei_firing *out, const saei_firing *in, uint64_t n, sort_key key, uint64_t *start)
{
    memset(start, 0, key.n_keys * sizeof *start);
    for (uint64_t i = 0; i < n; i++)
        start[key_of(&in[i], key)]++;
    uint64_t sum = 0;
    for (size_t k = 0; k < key.n_keys; k++) {
        uint64_t count = start[k];
        start[k] = sum;
        sum += count;
    }
    for (uint64_t i = 0; i < n; i++)
        out[start[key_of(&in[i], key)]++] = in[i];
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
                                size_t first_latent, size_t n_latents, sae_error *err)
{
    saei_firing *spare = NULL;
    uint64_t *start = NULL;
    size_t keys = n_prompts > n_latents ? n_prompts : n_latents;
    sae_status status = saei_alloc(&spare, context, (size_t)*n, sizeof *spare, err);
    if (status == SAE_OK)
        status = saei_alloc(&start, context, keys, sizeof *start, err);
    if (status == SAE_OK) {
        sort_firings(spare, firings, *n, (sort_key){false, 0, n_prompts}, start);
        sort_firings(firings, spare, *n, (sort_key){true, first_latent, n_latents}, start);
        *n = merge_firings(firings, *n);
    }
    saei_free(context, start);
    saei_free(context, spare);
    return status;
}

static sae_status alloc_arrays(saei_profile *profile, uint64_t n, sae_error *err)
{
    sae_context *context = profile->context;
    size_t pairs = (size_t)n;
    sae_status status = saei_alloc(&profile->id, context, profile->n_prompts, sizeof *profile->id, err);
    if (status == SAE_OK)
        status = saei_alloc(&profile->ptr, context, profile->n_latents + 1, sizeof *profile->ptr, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&profile->prompt, context, pairs, sizeof *profile->prompt, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&profile->activation, context, pairs, sizeof *profile->activation, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&profile->frequency, context, pairs, sizeof *profile->frequency, err);
    return status;
}

sae_status saei_profile_alloc(saei_profile **out, sae_context *context, size_t n_prompts, size_t n_latents,
                              uint64_t n_pairs, sae_error *err)
{
    *out = NULL;
    saei_profile *profile;
    sae_status status = saei_alloc(&profile, context, 1, sizeof *profile, err);
    if (status != SAE_OK)
        return status;
    *profile = (saei_profile){.context = context, .n_prompts = n_prompts, .n_latents = n_latents};
    status = alloc_arrays(profile, n_pairs, err);
    if (status != SAE_OK) {
        saei_profile_free(profile);
        return status;
    }
    *out = profile;
    return SAE_OK;
}

sae_status saei_profile_append(saei_profile_parts *parts, saei_firing *firings, uint64_t n,
                               size_t first_latent, size_t n_latents, sae_error *err)
{
    saei_profile *profile = parts->profile;
    sae_status status =
        order_firings(&n, firings, profile->context, profile->n_prompts, first_latent, n_latents, err);
    if (status != SAE_OK)
        return status;
    uint64_t *end = profile->ptr + first_latent + 1;
    for (uint64_t i = 0; i < n; i++, parts->n++) {
        double weight = parts->weight[firings[i].prompt];
        profile->prompt[parts->n] = firings[i].prompt;
        profile->activation[parts->n] = firings[i].activation / weight;
        profile->frequency[parts->n] = firings[i].frequency / weight;
        end[firings[i].latent - first_latent]++;
    }
    for (size_t j = 0; j < n_latents; j++)
        end[j] += profile->ptr[first_latent + j];
    return SAE_OK;
}

sae_status saei_profile_new(saei_profile **out, sae_context *context, saei_firing *firings, uint64_t n,
                            const double *id, const double *weight, size_t n_prompts, size_t n_latents,
                            sae_error *err)
{
    *out = NULL;
    saei_profile_parts parts = {.weight = weight};
    sae_status status = saei_profile_alloc(&parts.profile, context, n_prompts, n_latents, n, err);
    if (status == SAE_OK) {
        memcpy(parts.profile->id, id, n_prompts * sizeof *id);
        status = saei_profile_append(&parts, firings, n, 0, n_latents, err);
    }
    if (status == SAE_OK)
        *out = parts.profile;
    else
        saei_profile_free(parts.profile);
    return status;
}

void saei_profile_free(saei_profile *profile)
{
    if (profile == NULL)
        return;
    saei_scratch_free(profile->context, profile->frequency);
    saei_scratch_free(profile->context, profile->activation);
    saei_scratch_free(profile->context, profile->prompt);
    saei_free(profile->context, profile->ptr);
    saei_free(profile->context, profile->id);
    saei_free(profile->context, profile);
}
