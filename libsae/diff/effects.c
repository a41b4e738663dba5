#include "diff/effects.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/scratch.h"

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

static void fill(saei_effects *effects, const saei_profile *y, const saei_profile *x)
{
    uint64_t n = 0;
    for (size_t j = 0; j < effects->n_latents; j++) {
        if (effects->paired)
            merge_paired(effects, &n, y, x, j);
        else
            append_both(effects, &n, y, x, j);
        effects->ptr[j + 1] = n;
        effects->fires[j] = y->ptr[j + 1] > y->ptr[j] || x->ptr[j + 1] > x->ptr[j];
    }
}

sae_status saei_effects_alloc(saei_effects **out, sae_context *context, bool paired, const size_t n[2],
                              size_t n_latents, size_t n_values, sae_error *err)
{
    *out = NULL;
    saei_effects *effects;
    sae_status status = saei_alloc(&effects, context, 1, sizeof *effects, err);
    if (status != SAE_OK)
        return status;
    *effects = (saei_effects){
        .context = context, .paired = paired, .n_y = n[0], .n_x = n[1], .n_latents = n_latents};
    status = saei_alloc(&effects->ptr, context, saei_add(n_latents, 1), sizeof *effects->ptr, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&effects->unit, context, n_values, sizeof *effects->unit, err);
    if (status == SAE_OK)
        status = saei_scratch_alloc(&effects->value, context, n_values, sizeof *effects->value, err);
    if (status == SAE_OK)
        status = saei_alloc(&effects->fires, context, n_latents, sizeof *effects->fires, err);
    if (status != SAE_OK) {
        saei_effects_free(effects);
        return status;
    }
    *out = effects;
    return SAE_OK;
}

sae_status saei_effects_new(saei_effects **out, const saei_profile *y, const saei_profile *x, bool paired,
                            sae_error *err)
{
    *out = NULL;
    if (saei_add(y->n_prompts, x->n_prompts) >= UINT32_MAX)
        return saei_fail(err, SAE_E_UNSUPPORTED, "2^32 prompts or more in a comparison: select fewer rows");
    const size_t n[2] = {y->n_prompts, x->n_prompts};
    size_t most = saei_add((size_t)y->ptr[y->n_latents], (size_t)x->ptr[x->n_latents]);
    sae_status status = saei_effects_alloc(out, y->context, paired, n, y->n_latents, most, err);
    if (status == SAE_OK)
        fill(*out, y, x);
    return status;
}

void saei_effects_free(saei_effects *effects)
{
    if (effects == NULL)
        return;
    saei_free(effects->context, effects->weight);
    saei_free(effects->context, effects->fires);
    saei_scratch_free(effects->context, effects->value);
    saei_scratch_free(effects->context, effects->unit);
    saei_free(effects->context, effects->ptr);
    saei_free(effects->context, effects);
}

double saei_effects_estimate(const saei_effects *effects, size_t latent)
{
    double sum = 0, in_y = 1 / (double)effects->n_y,
           in_x = effects->paired ? in_y : -1 / (double)effects->n_x;
    for (uint64_t i = effects->ptr[latent]; i < effects->ptr[latent + 1]; i++) {
        uint32_t unit = effects->unit[i];
        double weight = effects->weight != NULL ? effects->weight[unit] : unit < effects->n_y ? in_y : in_x;
        sum += weight * effects->value[i];
    }
    return sum;
}
