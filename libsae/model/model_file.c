/* The model file: safetensors with W_enc, b_enc, W_dec, b_dec in raw activation units. */
#include "base/error.h"
#include "base/memory.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shape of a tensor that must be there: cols == 0 for a vector. */
static sae_status find_tensor(const saei_tensor_info **out, const saei_safetensors *file, const char *path,
                              const char *name, uint64_t rows, uint64_t cols, sae_error *err)
{
    const saei_tensor_info *tensor = saei_safetensors_find(file, name);
    if (tensor == NULL)
        return saei_fail(err, SAE_E_FORMAT, "%s: no tensor %s, so this is not a libsae model", path, name);
    bool fits = cols == 0 ? tensor->rank == 1 && tensor->shape[0] == rows
                          : tensor->rank == 2 && tensor->shape[0] == rows && tensor->shape[1] == cols;
    if (!fits)
        return saei_fail(err, SAE_E_FORMAT, "%s: the shape of %s does not fit that of W_enc", path, name);
    *out = tensor;
    return SAE_OK;
}

/* k from the metadata; the architecture must be the one we know. */
static sae_status read_k(size_t *k, const saei_safetensors *file, const char *path, sae_error *err)
{
    const char *architecture = saei_safetensors_metadata(file, "architecture");
    const char *text = saei_safetensors_metadata(file, "k");
    if (architecture == NULL || strcmp(architecture, "topk") != 0)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: architecture \"%s\" in the metadata; libsae reads \"topk\"", path,
                         architecture != NULL ? architecture : "");
    char *end = NULL;
    unsigned long long value =
        text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (value == 0 || value > UINT32_MAX || *end != '\0')
        return saei_fail(err, SAE_E_FORMAT, "%s: the metadata give no valid k (\"%s\")", path,
                         text != NULL ? text : "");
    *k = (size_t)value;
    return SAE_OK;
}

static sae_status read_weights(sae_model *model, const saei_safetensors *file, const char *path,
                               sae_error *err)
{
    uint64_t d = model->d, F = model->n_latents;
    const struct {
        const char *name;
        uint64_t rows, cols;
        float *out;
    } wanted[] = {{"W_enc", d, F, model->W_enc},
                  {"b_enc", F, 0, model->b_enc},
                  {"W_dec", F, d, model->W_dec},
                  {"b_dec", d, 0, model->b_dec}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const saei_tensor_info *tensor = NULL;
        sae_status status =
            find_tensor(&tensor, file, path, wanted[i].name, wanted[i].rows, wanted[i].cols, err);
        if (status == SAE_OK)
            status = saei_safetensors_read_f32(wanted[i].out, file, tensor, err);
        if (status != SAE_OK)
            return status;
    }
    return saei_model_check_finite(model, path, err);
}

static sae_status read_metadata(sae_model *model, const saei_safetensors *file, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < saei_safetensors_metadata_count(file); i++)
        status = saei_model_set_metadata(model, saei_safetensors_metadata_key(file, i),
                                         saei_safetensors_metadata_value(file, i), err);
    return status;
}

sae_status sae_model_load(sae_model **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    saei_safetensors *file = NULL;
    sae_model *model = NULL;
    size_t k = 0;
    const saei_tensor_info *W_enc = NULL;
    sae_status status = saei_safetensors_open(&file, context, path, err);
    if (status != SAE_OK)
        return status;
    W_enc = saei_safetensors_find(file, "W_enc");
    if (W_enc == NULL || W_enc->rank != 2)
        status = saei_fail(err, SAE_E_FORMAT, "%s: no matrix W_enc, so this is not a libsae model", path);
    if (status == SAE_OK)
        status = read_k(&k, file, path, err);
    if (status == SAE_OK && k > W_enc->shape[1])
        status = saei_fail(err, SAE_E_FORMAT, "%s: k = %zu is more than its %llu latents", path, k,
                           (unsigned long long)W_enc->shape[1]);
    if (status == SAE_OK)
        status = saei_model_alloc(&model, context, (size_t)W_enc->shape[0], (size_t)W_enc->shape[1], k, err);
    if (status == SAE_OK)
        status = read_weights(model, file, path, err);
    if (status == SAE_OK)
        status = read_metadata(model, file, err);
    if (status == SAE_OK) {
        *out = model;
        model = NULL;
    }
    sae_model_free(model);
    saei_safetensors_free(file);
    return status;
}

sae_status sae_model_save(const sae_model *model, const char *path, bool overwrite, sae_error *err)
{
    const saei_tensor_out tensors[] = {
        {"W_enc", SAEI_F32, 2, {model->d, model->n_latents}, model->W_enc},
        {"b_enc", SAEI_F32, 1, {model->n_latents}, model->b_enc},
        {"W_dec", SAEI_F32, 2, {model->n_latents, model->d}, model->W_dec},
        {"b_dec", SAEI_F32, 1, {model->d}, model->b_dec},
    };
    char k[24];
    snprintf(k, sizeof k, "%zu", model->k);
    const saei_metadata required[] = {{"architecture", "topk"}, {"format", "libsae-model"}, {"k", k}};
    enum { REQUIRED = sizeof required / sizeof required[0] };
    saei_metadata *metadata;
    sae_status status =
        saei_alloc(&metadata, model->context, model->n_metadata + REQUIRED, sizeof *metadata, err);
    if (status != SAE_OK)
        return status;
    memcpy(metadata, required, sizeof required);
    size_t n = REQUIRED;
    for (size_t i = 0; i < model->n_metadata; i++) {
        bool replaced = false;
        for (size_t r = 0; r < REQUIRED; r++)
            replaced |= strcmp(model->metadata[i].key, required[r].key) == 0;
        if (!replaced)
            metadata[n++] = model->metadata[i];
    }
    status = saei_safetensors_save(model->context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING,
                                   tensors, sizeof tensors / sizeof tensors[0], metadata, n, err);
    saei_free(model->context, metadata);
    return status;
}
