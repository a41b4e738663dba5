/* The model file: safetensors with the parameters in raw activation units, docs/FORMATS.md. */
#include "model/model_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
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

static sae_status read_k(size_t *k, const saei_safetensors *file, const char *path, sae_error *err)
{
    const char *text = saei_safetensors_metadata(file, "k");
    char *end = NULL;
    unsigned long long value =
        text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (value == 0 || value > UINT32_MAX || *end != '\0')
        return saei_fail(err, SAE_E_FORMAT, "%s: the metadata give no valid k (\"%s\")", path,
                         text != NULL ? text : "");
    *k = (size_t)value;
    return SAE_OK;
}

/* Files of libsae 0.1 name the architecture alone, and TopK was the only one. */
static sae_status read_activation(sae_activation *out, const saei_safetensors *file, const char *path,
                                  sae_error *err)
{
    const char *activation = saei_safetensors_metadata(file, "activation");
    const char *name = activation != NULL ? activation : saei_safetensors_metadata(file, "architecture");
    const char *known;
    for (int i = 0; name != NULL && (known = sae_activation_name((sae_activation)i)) != NULL; i++)
        if (strcmp(name, known) == 0 && (activation != NULL || i == SAE_TOPK)) {
            *out = (sae_activation)i;
            return SAE_OK;
        }
    return saei_fail(err, SAE_E_UNSUPPORTED,
                     "%s: %s \"%.40s\" in the metadata; libsae reads models whose activation is topk, relu, "
                     "jumprelu or gated",
                     path, activation != NULL ? "activation" : "no activation, and architecture",
                     name != NULL ? name : "");
}

static sae_status read_row_norm(sae_row_norm *out, const saei_safetensors *file, const char *path,
                                sae_error *err)
{
    const char *name = saei_safetensors_metadata(file, "row_norm"), *known;
    for (int i = 0; (known = sae_row_norm_name((sae_row_norm)i)) != NULL; i++)
        if (name == NULL || strcmp(name, known) == 0) {
            *out = (sae_row_norm)i;
            return SAE_OK;
        }
    return saei_fail(
        err, SAE_E_UNSUPPORTED,
        "%s: row_norm \"%.40s\" in the metadata; libsae knows none, layer_norm and constant_norm", path,
        name);
}

static sae_status read_shape(sae_params *shape, const saei_safetensors *file, const char *path,
                             sae_error *err)
{
    const saei_tensor_info *W_enc = saei_safetensors_find(file, "W_enc");
    if (W_enc == NULL || W_enc->rank != 2)
        return saei_fail(err, SAE_E_FORMAT, "%s: no matrix W_enc, so this is not a libsae model", path);
    shape->d = (size_t)W_enc->shape[0];
    shape->n_latents = (size_t)W_enc->shape[1];
    sae_status status = read_activation(&shape->activation, file, path, err);
    if (status == SAE_OK)
        status = read_row_norm(&shape->row_norm, file, path, err);
    if (status == SAE_OK && shape->activation == SAE_TOPK)
        status = read_k(&shape->k, file, path, err);
    if (status == SAE_OK && shape->k > shape->n_latents)
        return saei_fail(err, SAE_E_FORMAT, "%s: k = %zu is more than its %zu latents", path, shape->k,
                         shape->n_latents);
    return status;
}

static sae_status read_tensor(float *out, const saei_safetensors *file, const char *path, const char *name,
                              uint64_t rows, uint64_t cols, sae_error *err)
{
    const saei_tensor_info *tensor = NULL;
    sae_status status = find_tensor(&tensor, file, path, name, rows, cols, err);
    return status == SAE_OK ? saei_safetensors_read_f32(out, file, tensor, err) : status;
}

static sae_status read_weights(sae_model *model, const saei_safetensors *file, const char *path,
                               sae_error *err)
{
    uint64_t d = model->d, F = model->n_latents;
    saei_model_vector vectors[SAEI_MODEL_VECTORS_MAX];
    size_t n = saei_model_vectors(vectors, model);
    sae_status status =
        saei_safetensors_read_transposed(model->W_enc, file, saei_safetensors_find(file, "W_enc"), err);
    if (status == SAE_OK)
        status = read_tensor(model->b_enc, file, path, "b_enc", F, 0, err);
    if (status == SAE_OK)
        status = read_tensor(model->W_dec, file, path, "W_dec", F, d, err);
    if (status == SAE_OK)
        status = read_tensor(model->b_dec, file, path, "b_dec", d, 0, err);
    for (size_t v = 0; v < n && status == SAE_OK; v++)
        status = read_tensor(vectors[v].values, file, path, vectors[v].name, F, 0, err);
    return status == SAE_OK ? saei_model_complete(model, path, err) : status;
}

static sae_status read_metadata(sae_model *model, const saei_safetensors *file, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < saei_safetensors_metadata_count(file); i++)
        status = saei_model_set_metadata(model, saei_safetensors_metadata_key(file, i),
                                         saei_safetensors_metadata_value(file, i), err);
    return status;
}

sae_status saei_model_file_shape(sae_params *out, sae_context *context, const char *path, sae_error *err)
{
    *out = (sae_params){0};
    saei_safetensors *file = NULL;
    sae_status status = saei_safetensors_open(&file, context, path, err);
    if (status == SAE_OK)
        status = read_shape(out, file, path, err);
    saei_safetensors_free(file);
    return status;
}

sae_status saei_model_file_load(sae_model **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    saei_safetensors *file = NULL;
    sae_model *model = NULL;
    sae_params shape = {0};
    sae_status status = saei_safetensors_open(&file, context, path, err);
    if (status == SAE_OK)
        status = read_shape(&shape, file, path, err);
    if (status == SAE_OK)
        status = saei_model_alloc(&model, context, &shape, err);
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

/* What a reader of the file needs to know, and what `sae info` can tell without the tensors. */
typedef struct description {
    char k[24], threshold_min[SAEI_NUMBER_BYTES], threshold_max[SAEI_NUMBER_BYTES];
    saei_metadata entries[7];
    size_t n;
} description;

static void describe_threshold(description *out, const sae_model *model)
{
    float least = model->threshold[0], most = least;
    for (size_t j = 1; j < model->n_latents; j++) {
        least = model->threshold[j] < least ? model->threshold[j] : least;
        most = model->threshold[j] > most ? model->threshold[j] : most;
    }
    saei_number_format(out->threshold_min, (double)least);
    saei_number_format(out->threshold_max, (double)most);
    out->entries[out->n++] = (saei_metadata){"threshold_min", out->threshold_min};
    out->entries[out->n++] = (saei_metadata){"threshold_max", out->threshold_max};
}

static void describe(description *out, const sae_model *model)
{
    const char *activation = sae_activation_name(model->activation);
    out->entries[out->n++] = (saei_metadata){"format", "libsae-model"};
    out->entries[out->n++] = (saei_metadata){"activation", activation};
    if (sae_model_metadata(model, "architecture") == NULL)
        out->entries[out->n++] = (saei_metadata){"architecture", activation};
    if (model->activation == SAE_TOPK) {
        snprintf(out->k, sizeof out->k, "%zu", model->k);
        out->entries[out->n++] = (saei_metadata){"k", out->k};
    }
    if (model->row_norm != SAE_NO_ROW_NORM)
        out->entries[out->n++] = (saei_metadata){"row_norm", sae_row_norm_name(model->row_norm)};
    if (model->threshold != NULL)
        describe_threshold(out, model);
}

static bool describes(const description *d, const char *key)
{
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->entries[i].key, key) == 0)
            return true;
    return false;
}

static sae_status save_tensors(const sae_model *model, const char *path, saei_replace replace,
                               const saei_metadata *metadata, size_t n_metadata, sae_error *err)
{
    size_t d = model->d, F = model->n_latents;
    saei_tensor_out tensors[4 + SAEI_MODEL_VECTORS_MAX] = {
        {.name = "W_enc",
         .dtype = SAEI_F32,
         .rank = 2,
         .shape = {d, F},
         .data = model->W_enc,
         .transposed = true},
        {.name = "b_enc", .dtype = SAEI_F32, .rank = 1, .shape = {F}, .data = model->b_enc},
        {.name = "W_dec", .dtype = SAEI_F32, .rank = 2, .shape = {F, d}, .data = model->W_dec},
        {.name = "b_dec", .dtype = SAEI_F32, .rank = 1, .shape = {d}, .data = model->b_dec},
    };
    saei_model_vector vectors[SAEI_MODEL_VECTORS_MAX];
    size_t n = saei_model_vectors(vectors, model);
    for (size_t v = 0; v < n; v++)
        tensors[4 + v] = (saei_tensor_out){
            .name = vectors[v].name, .dtype = SAEI_F32, .rank = 1, .shape = {F}, .data = vectors[v].values};
    return saei_safetensors_save(model->context, path, replace, tensors, 4 + n, metadata, n_metadata, err);
}

sae_status sae_model_save(const sae_model *model, const char *path, bool overwrite, sae_error *err)
{
    description required = {.n = 0};
    describe(&required, model);
    saei_metadata *metadata;
    sae_status status =
        saei_alloc(&metadata, model->context, model->n_metadata + required.n, sizeof *metadata, err);
    if (status != SAE_OK)
        return status;
    memcpy(metadata, required.entries, required.n * sizeof *metadata);
    size_t n = required.n;
    for (size_t i = 0; i < model->n_metadata; i++)
        if (!describes(&required, model->metadata[i].key))
            metadata[n++] = model->metadata[i];
    status = save_tensors(model, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, metadata, n, err);
    saei_free(model->context, metadata);
    return status;
}
