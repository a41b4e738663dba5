/* Text by key that travels with a model. */
#include "base/memory.h"
#include "model/model.h"

#include <string.h>

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

static void free_entry(sae_context *context, saei_metadata *entry)
{
    saei_free(context, (void *)(uintptr_t)entry->key);
    saei_free(context, (void *)(uintptr_t)entry->value);
}

void saei_model_free_metadata(sae_model *model)
{
    for (size_t i = 0; i < model->n_metadata; i++)
        free_entry(model->context, &model->metadata[i]);
    saei_free(model->context, model->metadata);
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
        free_entry(model->context, entry);
    else {
        memmove(entry + 1, entry, (model->n_metadata - place) * sizeof *entry);
        model->n_metadata++;
    }
    *entry = (saei_metadata){new_key, new_value};
    return SAE_OK;
}
