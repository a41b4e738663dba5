#include "diff/combination.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/scratch.h"

typedef struct combination {
    const saei_profile *const *profiles;
    const double *coefficient;
    size_t n;
    uint64_t *next; /* [n] firings of the present latent not merged yet; paired only */
} combination;

static uint32_t least_prompt(const combination *c, size_t j)
{
    uint32_t least = UINT32_MAX;
    for (size_t k = 0; k < c->n; k++)
        if (c->next[k] < c->profiles[k]->ptr[j + 1] && c->profiles[k]->prompt[c->next[k]] < least)
            least = c->profiles[k]->prompt[c->next[k]];
    return least;
}

static void merge_paired(saei_effects *effects, uint64_t *n, const combination *c, size_t j)
{
    for (size_t k = 0; k < c->n; k++)
        c->next[k] = c->profiles[k]->ptr[j];
    for (uint32_t prompt; (prompt = least_prompt(c, j)) != UINT32_MAX;) {
        double sum = 0;
        for (size_t k = 0; k < c->n; k++) {
            const saei_profile *p = c->profiles[k];
            if (c->next[k] < p->ptr[j + 1] && p->prompt[c->next[k]] == prompt)
                sum += c->coefficient[k] * p->activation[c->next[k]++];
        }
        if (sum == 0)
            continue;
        effects->unit[*n] = prompt;
        effects->value[(*n)++] = sum;
    }
}

static void append_units(saei_effects *effects, uint64_t *n, const combination *c, size_t j)
{
    uint32_t first = 0;
    for (size_t k = 0; k < c->n; k++) {
        const saei_profile *p = c->profiles[k];
        for (uint64_t i = p->ptr[j]; i < p->ptr[j + 1]; i++) {
            effects->unit[*n] = first + p->prompt[i];
            effects->value[(*n)++] = p->activation[i];
        }
        first += (uint32_t)p->n_prompts;
    }
}

static bool any_fires(const combination *c, size_t j)
{
    for (size_t k = 0; k < c->n; k++)
        if (c->profiles[k]->ptr[j + 1] > c->profiles[k]->ptr[j])
            return true;
    return false;
}

static void fill(saei_effects *effects, const combination *c)
{
    uint64_t n = 0;
    for (size_t j = 0; j < effects->n_latents; j++) {
        effects->fires[j] = any_fires(c, j);
        if (effects->paired)
            merge_paired(effects, &n, c, j);
        else
            append_units(effects, &n, c, j);
        effects->ptr[j + 1] = n;
    }
    for (size_t k = 0, u = 0; !effects->paired && k < c->n; k++)
        for (size_t p = 0; p < c->profiles[k]->n_prompts; p++)
            effects->weight[u++] = c->coefficient[k] / (double)c->profiles[k]->n_prompts;
}

static sae_status alloc_effects(saei_effects *effects, combination *c, size_t values, sae_error *err)
{
    sae_context *context = effects->context;
    sae_status status = saei_alloc(&effects->ptr, context, effects->n_latents + 1, sizeof *effects->ptr, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&effects->unit, context, values, sizeof *effects->unit, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&effects->value, context, values, sizeof *effects->value, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->fires, context, effects->n_latents, sizeof *effects->fires, err);
    if (status == SAE_OK && effects->paired)
        return saei_alloc(&c->next, context, c->n, sizeof *c->next, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->weight, context, effects->n_y, sizeof *effects->weight, err);
    return status;
}

sae_status saei_combination_new(saei_effects **out, const saei_profile *const *profiles,
                                const double *coefficient, size_t n, bool paired, sae_error *err)
{
    *out = NULL;
    sae_context *context = profiles[0]->context;
    size_t n_latents = profiles[0]->n_latents, values = 0, units = 0;
    for (size_t k = 0; k < n; k++) {
        values = saei_add(values, (size_t)profiles[k]->ptr[n_latents]);
        units = saei_add(units, profiles[k]->n_prompts);
    }
    if (units >= UINT32_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED, "2^32 prompts or more in a contrast: select fewer rows");
    saei_effects *effects;
    sae_status status = saei_alloc(&effects, context, 1, sizeof *effects, err);
    if (status != SAE_OK)
        return status;
    *effects = (saei_effects){.context = context,
                              .paired = paired,
                              .n_y = paired ? profiles[0]->n_prompts : units,
                              .n_x = paired ? profiles[0]->n_prompts : 0,
                              .n_latents = n_latents};
    combination c = {profiles, coefficient, n, NULL};
    status = alloc_effects(effects, &c, values, err);
    if (status == SAE_OK) {
        fill(effects, &c);
        *out = effects;
        effects = NULL;
    }
    saei_effects_free(effects);
    saei_free(context, c.next);
    return status;
}
