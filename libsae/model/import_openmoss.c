/* OpenMOSS: Llama Scope (hyperparams.json, checkpoints/final.safetensors) and later models of the same group
   (config.json, sae_weights.safetensors). b_dec is not subtracted at the input unless the configuration says
   so; rows are scaled to a mean length of √d over the data, and back. */
#include "model/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool linear_names(const sae_import *import)
{
    return saei_import_has(import, "encoder.weight") && saei_import_has(import, "encoder.bias") &&
           saei_import_has(import, "decoder.weight") && saei_import_has(import, "decoder.bias");
}

static bool recognises(const sae_import *import)
{
    bool short_names = saei_import_has(import, "W_E") && saei_import_has(import, "W_D");
    return short_names || (linear_names(import) && saei_import_setting(import, "d_model") != NULL);
}

/* The mean length of the rows at one end: from the configuration, or from a tensor under the name of the
 * hook. */
static sae_status mean_length(double *out, const sae_import *import, const char *end,
                              const char *hook_setting, sae_error *err)
{
    char name[200];
    const char *hook = saei_import_text(import, hook_setting);
    snprintf(name, sizeof name, "dataset_average_activation_norm.%s", end);
    *out = saei_import_number(import, name);
    if (!isnan(*out) || hook == NULL)
        return SAE_OK;
    snprintf(name, sizeof name, "dataset_average_activation_norm.%.150s", hook);
    return saei_import_scalar(out, import, name, err);
}

static sae_status settle_scales(sae_import *import, sae_error *err)
{
    const char *norm = saei_import_text(import, "norm_activation");
    /* What activations and reconstructions are divided by afterwards differs between versions of the tool. */
    if (norm != NULL && (strcmp(norm, "token-wise") == 0 || strcmp(norm, "batch-wise") == 0))
        return saei_import_refuse(import, err, "rows are normalised %s", norm);
    if (norm != NULL && strcmp(norm, "inference") == 0)
        return saei_import_settle_scale(import, 1, err);
    double in, out, root = sqrt((double)import->plan.shape.d);
    sae_status status = mean_length(&in, import, "in", "hook_point_in", err);
    if (status == SAE_OK)
        status = mean_length(&out, import, "out", "hook_point_out", err);
    if (status == SAE_OK)
        status = saei_import_settle_scale(import, root / in, err);
    if (status == SAE_OK && out > 0)
        import->plan.output_scale = root / out;
    return status;
}

/* A threshold in the configuration is in units of the raw rows, one in a tensor in those of the scaled ones.
 */
static sae_status settle_threshold(sae_import *import, sae_error *err)
{
    static const char *const names[] = {"log_jumprelu_threshold",
                                        "activation_function.log_jumprelu_threshold"};
    saei_import_plan *plan = &import->plan;
    plan->threshold_by_decoder_norm = saei_import_true(import, "sparsity_include_decoder_norm");
    if (plan->threshold_by_decoder_norm)
        saei_import_choose(import, "source_decoder_norm",
                           "what exceeds the threshold is scaled by it; folded");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (saei_import_has(import, names[i])) {
            plan->threshold_is_log = true;
            saei_import_choose(import, "source_threshold", "exp of %s", names[i]);
            return saei_import_vector(&plan->threshold, import, names[i], SAEI_OF_LATENTS_OR_ONE, err);
        }
    return saei_import_settle_threshold(
        import, saei_import_number(import, "jump_relu_threshold") * plan->input_scale, err);
}

static sae_status settle_rule(sae_import *import, sae_error *err)
{
    const char *function = saei_import_text(import, "act_fn");
    bool known = function != NULL && (strcmp(function, "relu") == 0 || strcmp(function, "topk") == 0 ||
                                      strcmp(function, "jumprelu") == 0);
    if (function != NULL && !known)
        return saei_import_refuse(import, err, "its activation is %.40s", function);
    if (saei_import_true(import, "use_glu_encoder"))
        return saei_import_refuse(import, err, "its encoder is a gated linear unit");
    sae_status status = saei_import_settle_activation(import, function, err);
    if (status != SAE_OK)
        return status;
    if (import->plan.shape.activation == SAE_JUMPRELU)
        return settle_threshold(import, err);
    if (import->plan.shape.activation != SAE_TOPK)
        return SAE_OK;
    if (saei_import_true(import, "sparsity_include_decoder_norm")) {
        import->plan.by_decoder_norm = true;
        saei_import_choose(import, "source_decoder_norm", "activations are scaled by it; folded into W_enc");
    }
    return saei_import_settle_k(import, saei_import_number(import, "top_k"), err);
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    bool linear = linear_names(import);
    const char *model = saei_import_text(import, "model_name"),
               *hook = saei_import_text(import, "hook_point_in");
    saei_import_choose(import, "source_format", "OpenMOSS%s", linear ? ", Llama Scope" : "");
    if (model != NULL)
        saei_import_choose(import, "source_model", "%.100s", model);
    if (hook != NULL)
        saei_import_choose(import, "source_hook", "%.100s", hook);
    sae_status status =
        linear ? saei_import_matrices(import, "encoder.weight", SAEI_LATENT_MAJOR, "decoder.weight",
                                      SAEI_INPUT_MAJOR, err)
               : saei_import_matrices(import, "W_E", SAEI_INPUT_MAJOR, "W_D", SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = settle_scales(import, err);
    if (status == SAE_OK)
        status = settle_rule(import, err);
    bool subtracted = saei_import_true(import, "apply_decoder_bias_to_pre_encoder");
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, subtracted ? SAE_YES : SAE_NO, err);
    if (status == SAE_OK)
        status =
            saei_import_vector(&plan->b_enc, import, linear ? "encoder.bias" : "b_E", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, linear ? "decoder.bias" : "b_D",
                                                 SAEI_OF_INPUTS, err)
                            : status;
}

const saei_ecosystem saei_openmoss = {recognises, plan};
