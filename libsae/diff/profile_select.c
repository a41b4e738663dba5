#include "diff/profile_select.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

typedef struct selection {
    const saei_profile *from;
    const uint32_t *latents; /* NULL: all */
    uint32_t *new_prompt;    /* [from->n_prompts] index in the result, UINT32_MAX: left out */
} selection;

static size_t old_latent(const selection *s, size_t i)
{
    return s->latents != NULL ? s->latents[i] : i;
}

static uint64_t count_firings(const selection *s, size_t n_latents)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_latents; i++) {
        size_t j = old_latent(s, i);
        for (uint64_t e = s->from->ptr[j]; e < s->from->ptr[j + 1]; e++)
            n += s->new_prompt[s->from->prompt[e]] != UINT32_MAX;
    }
    return n;
}

static void copy_firings(saei_profile *to, const selection *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < to->n_latents; i++) {
        size_t j = old_latent(s, i);
        for (uint64_t e = s->from->ptr[j]; e < s->from->ptr[j + 1]; e++) {
            uint32_t prompt = s->new_prompt[s->from->prompt[e]];
            if (prompt == UINT32_MAX)
                continue;
            to->prompt[n] = prompt;
            to->activation[n] = s->from->activation[e];
            to->frequency[n++] = s->from->frequency[e];
        }
        to->ptr[i + 1] = n;
    }
}

sae_status saei_profile_select(saei_profile **out, const saei_profile *profile, const uint32_t *latents,
                               size_t n_latents, const uint32_t *prompts, size_t n_prompts, sae_error *err)
{
    *out = NULL;
    if (latents == NULL)
        n_latents = profile->n_latents;
    for (size_t i = 0; latents != NULL && i < n_latents; i++)
        if (latents[i] >= profile->n_latents)
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latents[i],
                             profile->n_latents - 1);
    if (prompts == NULL)
        n_prompts = profile->n_prompts;
    selection s = {.from = profile, .latents = latents};
    saei_profile *to = NULL;
    sae_status status =
        saei_alloc(&s.new_prompt, profile->context, profile->n_prompts, sizeof *s.new_prompt, err);
    if (status != SAE_OK)
        return status;
    memset(s.new_prompt, 0xff, profile->n_prompts * sizeof *s.new_prompt);
    for (size_t p = 0; p < n_prompts; p++)
        s.new_prompt[prompts != NULL ? prompts[p] : p] = (uint32_t)p;
    status =
        saei_profile_alloc(&to, profile->context, n_prompts, n_latents, count_firings(&s, n_latents), err);
    if (status == SAE_OK) {
        for (size_t p = 0; p < n_prompts; p++)
            to->id[p] = profile->id[prompts != NULL ? prompts[p] : p];
        copy_firings(to, &s);
        *out = to;
        to = NULL;
    }
    saei_profile_free(to);
    saei_free(profile->context, s.new_prompt);
    return status;
}

/* Whether every profile holds the id; position[c] moves up to it, so that ids must be asked in ascending
 * order. */
static bool all_hold(double id, size_t *position, const saei_profile *const *profiles, size_t n_profiles)
{
    bool held = true;
    for (size_t c = 0; c < n_profiles; c++) {
        while (position[c] < profiles[c]->n_prompts && profiles[c]->id[position[c]] < id)
            position[c]++;
        held = held && position[c] < profiles[c]->n_prompts && profiles[c]->id[position[c]] == id;
    }
    return held;
}

sae_status saei_profile_common(uint32_t **index, size_t *n, const saei_profile *const *profiles,
                               size_t n_profiles, sae_error *err)
{
    sae_context *context = profiles[0]->context;
    size_t *position;
    *n = 0;
    for (size_t c = 0; c < n_profiles; c++)
        index[c] = NULL;
    sae_status status = saei_alloc(&position, context, n_profiles, sizeof *position, err);
    for (size_t c = 0; status == SAE_OK && c < n_profiles; c++)
        status = saei_alloc(&index[c], context, profiles[0]->n_prompts, sizeof *index[c], err);
    for (size_t p = 0; status == SAE_OK && p < profiles[0]->n_prompts; p++) {
        if (!all_hold(profiles[0]->id[p], position, profiles, n_profiles))
            continue;
        for (size_t c = 0; c < n_profiles; c++)
            index[c][*n] = (uint32_t)position[c];
        ++*n;
    }
    for (size_t c = 0; status != SAE_OK && c < n_profiles; c++) {
        saei_free(context, index[c]);
        index[c] = NULL;
    }
    saei_free(context, position);
    return status;
}

double saei_profile_latent_mean(const saei_profile *profile, size_t latent)
{
    double sum = 0;
    for (uint64_t i = profile->ptr[latent]; i < profile->ptr[latent + 1]; i++)
        sum += profile->activation[i];
    return sum / (double)profile->n_prompts;
}
