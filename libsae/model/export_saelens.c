/* SAELens 6 and later: cfg.json and sae_weights.safetensors. */
#include "model/export.h"

static const char *const architectures[] = {
    [SAE_TOPK] = "topk", [SAE_RELU] = "standard", [SAE_JUMPRELU] = "jumprelu", [SAE_GATED] = "gated"};

static const char *const norms[] = {[SAE_NO_ROW_NORM] = "none",
                                    [SAE_LAYER_NORM] = "layer_norm",
                                    [SAE_CONSTANT_NORM] = "constant_norm_rescale"};

static json_t *metadata_json(const sae_model *model)
{
    const char *source = sae_model_metadata(model, "source_model"),
               *hook = sae_model_metadata(model, "source_hook");
    /* SAELens reads a configuration without a version of 6 or above as one of the flat layout before it. */
    return json_pack("{s:s, s:s, s:s*, s:s*}", "sae_lens_version", "6.0.0", "libsae_version", SAE_VERSION,
                     "model_name", source, "hook_name", hook);
}

static json_t *config_json(const sae_model *model)
{
    json_t *config = json_pack("{s:s, s:I, s:I, s:s, s:s, s:b, s:s, s:s, s:o}", "architecture",
                               architectures[model->activation], "d_in", (json_int_t)model->d, "d_sae",
                               (json_int_t)model->n_latents, "dtype", "float32", "device", "cpu",
                               "apply_b_dec_to_input", 1, "normalize_activations", norms[model->row_norm],
                               "reshape_activations", "none", "metadata", metadata_json(model));
    if (config != NULL && model->activation == SAE_TOPK &&
        (json_object_set_new(config, "k", json_integer((json_int_t)model->k)) != 0 ||
         json_object_set_new(config, "rescale_acts_by_decoder_norm", json_false()) != 0)) {
        json_decref(config);
        return NULL;
    }
    return config;
}

static sae_status save_weights(const sae_model *model, const char *path, saei_replace replace, sae_error *err)
{
    uint64_t d = model->d, F = model->n_latents;
    saei_tensor_out tensors[4 + SAEI_MODEL_VECTORS_MAX] = {
        {.name = "W_enc",
         .dtype = SAEI_F32,
         .rank = 2,
         .shape = {d, F},
         .data = model->W_enc,
         .transposed = true},
        {.name = "W_dec", .dtype = SAEI_F32, .rank = 2, .shape = {F, d}, .data = model->W_dec},
        {.name = "b_dec", .dtype = SAEI_F32, .rank = 1, .shape = {d}, .data = model->b_dec},
        {.name = model->activation == SAE_GATED ? "b_gate" : "b_enc",
         .dtype = SAEI_F32,
         .rank = 1,
         .shape = {F},
         .data = model->b_enc},
    };
    saei_model_vector vectors[SAEI_MODEL_VECTORS_MAX];
    size_t n = saei_model_vectors(vectors, model);
    for (size_t v = 0; v < n; v++)
        tensors[4 + v] = (saei_tensor_out){
            .name = vectors[v].name, .dtype = SAEI_F32, .rank = 1, .shape = {F}, .data = vectors[v].values};
    return saei_safetensors_save(model->context, path, replace, tensors, 4 + n, NULL, 0, err);
}

sae_status saei_export_saelens(const sae_model *model, const char *path, bool overwrite, sae_error *err)
{
    static const saei_export_layout layout = {"sae_weights.safetensors", "cfg.json", save_weights,
                                              config_json};
    return saei_export_folder(model, path, &layout, overwrite, err);
}
