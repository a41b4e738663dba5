#include "diff/effects.h"
#include "base/error.h"
#include "base/memory.h"

static void put(saei_effects *effects, uint64_t *n, uint32_t unit, double value)
{
    if (value == 0)
        return;
    effects->unit[*n] = unit;
    effects->value[(*n)++] = value;
}

/* y − x over the union of the prompts on which latent j fires in either. */
static void merge_paired(saei_effects *effects, uint64_t *n, const saei_profile *y, const saei_profile *x,
                         size_t j)
{
    uint64_t a = y->ptr[j], b = x->ptr[j], a_end = y->ptr[j + 1], b_end = x->ptr[j + 1];
    while (a < a_end || b < b_end) {
        uint32_t p = a < a_end ? y->prompt[a] : UINT32_MAX, q = b < b_end ? x->prompt[b] : UINT32_MAX;
        double value = 0;
        if (p <= q)
            value += y->activation[a++];
        if (q <= p)
            value -= x->activation[b++];
        put(effects, n, p < q ? p : q, value);
    }
}

static void append_both(saei_effects *effects, uint64_t *n, const saei_profile *y, const saei_profile *x,
                        size_t j)
{
    for (uint64_t i = y->ptr[j]; i < y->ptr[j + 1]; i++)
        put(effects, n, y->prompt[i], y->activation[i]);
    for (uint64_t i = x->ptr[j]; i < x->ptr[j + 1]; i++)
        put(effects, n, (uint32_t)effects->n_y + x->prompt[i], x->activation[i]);
}

static sae_status fill(saei_effects *effects, const saei_profile *y, const saei_profile *x, sae_error *err)
{
    sae_context *context = effects->context;
    size_t most = saei_add((size_t)y->ptr[y->n_latents], (size_t)x->ptr[x->n_latents]);
    sae_status status = saei_alloc(&effects->ptr, context, effects->n_latents + 1, sizeof *effects->ptr, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->unit, context, most, sizeof *effects->unit, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->value, context, most, sizeof *effects->value, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->fires, context, effects->n_latents, sizeof *effects->fires, err);
    if (status != SAE_OK)
        return status;
    uint64_t n = 0;
    for (size_t j = 0; j < effects->n_latents; j++) {
        if (effects->paired)
            merge_paired(effects, &n, y, x, j);
        else
            append_both(effects, &n, y, x, j);
        effects->ptr[j + 1] = n;
        effects->fires[j] = y->ptr[j + 1] > y->ptr[j] || x->ptr[j + 1] > x->ptr[j];
    }
    return SAE_OK;
}

sae_status saei_effects_new(saei_effects **out, const saei_profile *y, const saei_profile *x, bool paired,
                            sae_error *err)
{
    *out = NULL;
    if (saei_add(y->n_prompts, x->n_prompts) >= UINT32_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED, "2^32 prompts or more in a comparison: select fewer rows");
    saei_effects *effects;
    sae_status status = saei_alloc(&effects, y->context, 1, sizeof *effects, err);
    if (status != SAE_OK)
        return status;
    *effects = (saei_effects){.context = y->context,
                              .paired = paired,
                              .n_y = y->n_prompts,
                              .n_x = x->n_prompts,
                              .n_latents = y->n_latents};
    status = fill(effects, y, x, err);
    if (status != SAE_OK) {
        saei_effects_free(effects);
        return status;
    }
    *out = effects;
    return SAE_OK;
}

void saei_effects_free(saei_effects *effects)
{
    if (effects == NULL)
        return;
    saei_free(effects->context, effects->weight);
    saei_free(effects->context, effects->fires);
    saei_free(effects->context, effects->value);
    saei_free(effects->context, effects->unit);
    saei_free(effects->context, effects->ptr);
    saei_free(effects->context, effects);
}
