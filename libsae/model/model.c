#include "model/model.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

sae_status saei_model_alloc(sae_model **out, sae_context *context, size_t d, size_t n_latents, size_t k,
                            sae_error *err)
{
    *out = NULL;
    if (d < 1 || n_latents < 1 || n_latents > UINT32_MAX || k < 1 || k > n_latents)
        return saei_fail(
            err, SAE_E_ARGUMENT,
            "a model needs d >= 1 and 1 <= k <= latents < 2^32, not d = %zu, k = %zu, %zu latents", d, k,
            n_latents);
    sae_model *model;
    sae_status status = saei_alloc(&model, context, 1, sizeof *model, err);
    if (status != SAE_OK)
        return status;
    *model = (sae_model){.context = context, .d = d, .n_latents = n_latents, .k = k};
    size_t matrix = saei_mul(d, n_latents);
    status = saei_alloc(&model->W_enc, context, saei_add(saei_mul(2, matrix), saei_add(n_latents, d)),
                        sizeof(float), err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    model->W_dec = model->W_enc + matrix;
    model->b_enc = model->W_dec + matrix;
    model->b_dec = model->b_enc + n_latents;
    *out = model;
    return SAE_OK;
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

sae_status saei_model_check_finite(const sae_model *model, const char *where, sae_error *err)
{
    size_t matrix = model->d * model->n_latents;
    const char *bad = !all_finite(model->W_enc, matrix)             ? "W_enc"
                      : !all_finite(model->W_dec, matrix)           ? "W_dec"
                      : !all_finite(model->b_enc, model->n_latents) ? "b_enc"
                      : !all_finite(model->b_dec, model->d)         ? "b_dec"
                                                                    : NULL;
    if (bad == NULL)
        return SAE_OK;
    return saei_fail(err, SAE_E_NONFINITE, "%s: %s holds NaN or Inf; this model cannot be used", where, bad);
}

sae_status sae_model_new(sae_model **out, sae_context *context, const sae_params *params, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    sae_status status = saei_model_alloc(&model, context, params->d, params->n_latents, params->k, err);
    if (status != SAE_OK)
        return status;
    size_t matrix = params->d * params->n_latents;
    memcpy(model->W_enc, params->W_enc, matrix * sizeof(float));
    memcpy(model->W_dec, params->W_dec, matrix * sizeof(float));
    memcpy(model->b_enc, params->b_enc, params->n_latents * sizeof(float));
    memcpy(model->b_dec, params->b_dec, params->d * sizeof(float));
    status = saei_model_check_finite(model, "parameters", err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    *out = model;
    return SAE_OK;
}

static void free_metadata_entry(sae_context *context, saei_metadata *entry)
{
    saei_free(context, (void *)(uintptr_t)entry->key);
    saei_free(context, (void *)(uintptr_t)entry->value);
}

void sae_model_free(sae_model *model)
{
    if (model == NULL)
        return;
    for (size_t i = 0; i < model->n_metadata; i++)
        free_metadata_entry(model->context, &model->metadata[i]);
    saei_free(model->context, model->metadata);
    saei_free(model->context, model->W_enc);
    saei_free(model->context, model);
}

size_t sae_model_dim(const sae_model *model)
{
    return model->d;
}

size_t sae_model_latents(const sae_model *model)
{
    return model->n_latents;
}

size_t sae_model_k(const sae_model *model)
{
    return model->k;
}

sae_params sae_model_params(const sae_model *model)
{
    return (sae_params){model->d,     model->n_latents, model->k,    model->W_enc,
                        model->b_enc, model->W_dec,     model->b_dec};
}

size_t sae_model_metadata_count(const sae_model *model)
{
    return model->n_metadata;
}

const char *sae_model_metadata_key(const sae_model *model, size_t i)
{
    return i < model->n_metadata ? model->metadata[i].key : NULL;
}

const char *sae_model_metadata(const sae_model *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata; i++)
        if (strcmp(model->metadata[i].key, key) == 0)
            return model->metadata[i].value;
    return NULL;
}

/* Where key is, or where it belongs: entries stay sorted. */
static size_t metadata_place(const sae_model *model, const char *key)
{
    size_t i = 0;
    while (i < model->n_metadata && strcmp(model->metadata[i].key, key) < 0)
        i++;
    return i;
}

sae_status saei_model_set_metadata(sae_model *model, const char *key, const char *value, sae_error *err)
{
    char *new_key = NULL, *new_value = NULL;
    sae_status status = saei_strdup(&new_key, model->context, key, err);
    if (status == SAE_OK)
        status = saei_strdup(&new_value, model->context, value, err);
    if (status == SAE_OK)
        status = saei_grow(&model->metadata, model->context, model->n_metadata, model->n_metadata + 1,
                           sizeof *model->metadata, err);
    if (status != SAE_OK) {
        saei_free(model->context, new_key);
        saei_free(model->context, new_value);
        return status;
    }
    size_t place = metadata_place(model, key);
    saei_metadata *entry = model->metadata + place;
    if (place < model->n_metadata && strcmp(entry->key, key) == 0)
        free_metadata_entry(model->context, entry);
    else {
        memmove(entry + 1, entry, (model->n_metadata - place) * sizeof *entry);
        model->n_metadata++;
    }
    *entry = (saei_metadata){new_key, new_value};
    return SAE_OK;
}
