/* EleutherAI's sparsify: cfg.json and sae.safetensors. */
#include "base/error.h"
#include "model/export.h"

static json_t *config_json(const sae_model *model)
{
    size_t expansion = model->n_latents / model->d;
    return json_pack("{s:s, s:I, s:b, s:I, s:I, s:b, s:b, s:b, s:I}", "activation", "topk",
                     "expansion_factor", (json_int_t)(expansion > 0 ? expansion : 1), "normalize_decoder", 0,
                     "num_latents", (json_int_t)model->n_latents, "k", (json_int_t)model->k, "multi_topk", 0,
                     "skip_connection", 0, "transcode", 0, "d_in", (json_int_t)model->d);
}

static sae_status save_weights(const sae_model *model, const char *path, saei_replace replace, sae_error *err)
{
    uint64_t d = model->d, F = model->n_latents;
    const saei_tensor_out tensors[] = {
        {.name = "encoder.weight", .dtype = SAEI_F32, .rank = 2, .shape = {F, d}, .data = model->W_enc},
        {.name = "encoder.bias", .dtype = SAEI_F32, .rank = 1, .shape = {F}, .data = model->b_enc},
        {.name = "W_dec", .dtype = SAEI_F32, .rank = 2, .shape = {F, d}, .data = model->W_dec},
        {.name = "b_dec", .dtype = SAEI_F32, .rank = 1, .shape = {d}, .data = model->b_dec},
    };
    return saei_safetensors_save(model->context, path, replace, tensors, sizeof tensors / sizeof tensors[0],
                                 NULL, 0, err);
}

sae_status saei_export_sparsify(const sae_model *model, const char *path, bool overwrite, sae_error *err)
{
    if (model->activation != SAE_TOPK)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: sparsify has TopK alone, this is a %s model: saelens and dictionary_learning "
                         "hold it",
                         path, sae_activation_name(model->activation));
    static const saei_export_layout layout = {"sae.safetensors", "cfg.json", save_weights, config_json};
    return saei_export_folder(model, path, &layout, overwrite, err);
}
