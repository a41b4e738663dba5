/* SAELens: cfg.json, nested from 6.0 on and flat before, and sae_weights.safetensors. */
#include "model/import.h"

#include <math.h>
#include <string.h>

static bool recognises(const sae_import *import)
{
    return saei_import_has(import, "W_enc") && saei_import_has(import, "W_dec") &&
           json_is_number(saei_import_setting(import, "d_in")) &&
           json_is_number(saei_import_setting(import, "d_sae"));
}

static const char *either(const sae_import *import, const char *path, const char *older)
{
    const char *text = saei_import_text(import, path);
    return text != NULL ? text : saei_import_text(import, older);
}

/* What an architecture is when it is used. BatchTopK in the form that training saves keeps its threshold
 * apart. */
static const struct {
    const char *architecture, *activation;
    bool trains;
} rules[] = {
    {"standard", "relu", false}, {"topk", "topk", false},         {"jumprelu", "jumprelu", false},
    {"gated", "gated", false},   {"batchtopk", "jumprelu", true}, {"matryoshka_batchtopk", "jumprelu", true},
};
enum { RULES = sizeof rules / sizeof rules[0] };

/* Before 6.0 a TopK was a standard SAE with another activation function. */
static const char *architecture_of(const sae_import *import)
{
    const char *architecture = saei_import_text(import, "architecture");
    const char *function = either(import, "activation_fn", "activation_fn_str");
    if (architecture != NULL && strcmp(architecture, "standard") != 0)
        return architecture;
    return function != NULL && strcmp(function, "relu") != 0 ? function : "standard";
}

static sae_status settle_input(sae_import *import, sae_error *err)
{
    const json_t *applied = saei_import_setting(import, "apply_b_dec_to_input");
    sae_status status = saei_import_settle_b_dec(import, json_is_false(applied) ? SAE_NO : SAE_YES, err);
    if (status != SAE_OK)
        return status;
    const char *how = saei_import_text(import, "normalize_activations");
    if (how != NULL && strcmp(how, "layer_norm") == 0)
        return saei_import_settle_row_norm(import, SAE_LAYER_NORM, how, err);
    if (how != NULL && strcmp(how, "constant_norm_rescale") == 0)
        return saei_import_settle_row_norm(import, SAE_CONSTANT_NORM, how, err);
    if (saei_import_true(import, "normalize_activations") ||
        (how != NULL && strcmp(how, "expected_average_only_in") == 0))
        return saei_import_settle_scale(import, (double)NAN, err);
    if (how != NULL && strcmp(how, "none") != 0)
        return saei_import_refuse(import, err,
                                  "normalize_activations is %.40s and not folded into the weights", how);
    return saei_import_settle_scale(import, 1, err);
}

static sae_status read_threshold(sae_import *import, bool trains, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    plan->threshold_is_log = !trains && saei_import_has(import, "log_threshold");
    const char *name = trains ? "topk_threshold" : plan->threshold_is_log ? "log_threshold" : "threshold";
    saei_import_choose(import, "source_threshold", "%s%s", name, trains ? ", one for all latents" : "");
    return saei_import_vector(&plan->threshold, import, name,
                              trains ? SAEI_OF_LATENTS_OR_ONE : SAEI_OF_LATENTS, err);
}

static sae_status read_vectors(sae_import *import, bool trains, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    bool gated = plan->shape.activation == SAE_GATED;
    sae_status status =
        saei_import_vector(&plan->b_enc, import, gated ? "b_gate" : "b_enc", SAEI_OF_LATENTS, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_dec, import, "b_dec", SAEI_OF_INPUTS, err);
    if (status == SAE_OK && gated)
        status = saei_import_vector(&plan->r_mag, import, "r_mag", SAEI_OF_LATENTS, err);
    if (status == SAE_OK && gated)
        status = saei_import_vector(&plan->b_mag, import, "b_mag", SAEI_OF_LATENTS, err);
    if (status == SAE_OK && plan->shape.activation == SAE_JUMPRELU)
        status = read_threshold(import, trains, err);
    const char *gain =
        saei_import_has(import, "scaling_factor") ? "scaling_factor" : "finetuning_scaling_factor";
    if (status == SAE_OK && saei_import_has(import, gain)) {
        saei_import_choose(import, "source_decoder_gain", "%s, folded into W_dec", gain);
        status = saei_import_vector(&plan->decoder_gain, import, gain, SAEI_OF_LATENTS, err);
    }
    return status;
}

static void describe(sae_import *import, const char *architecture)
{
    const char *version = either(import, "metadata.sae_lens_version", "sae_lens_version");
    const char *model = either(import, "metadata.model_name", "model_name");
    const char *hook = either(import, "metadata.hook_name", "hook_name");
    if (hook == NULL)
        hook = saei_import_text(import, "hook_point");
    saei_import_choose(import, "source_format", "SAELens %.40s, %.40s",
                       version != NULL ? version : "before 6.0", architecture);
    if (strstr(architecture, "batchtopk") != NULL)
        saei_import_choose(import, "architecture", "%s",
                           strcmp(architecture, "batchtopk") == 0 ? "batchtopk" : "matryoshka");
    if (model != NULL)
        saei_import_choose(import, "source_model", "%.100s", model);
    if (hook != NULL)
        saei_import_choose(import, "source_hook", "%.100s", hook);
}

static sae_status plan(sae_import *import, sae_error *err)
{
    const char *architecture = architecture_of(import);
    size_t rule = 0;
    while (rule < RULES && strcmp(rules[rule].architecture, architecture) != 0)
        rule++;
    if (rule == RULES || saei_import_has(import, "W_skip"))
        return saei_import_refuse(import, err, "its architecture is %.60s", architecture);
    describe(import, architecture);
    sae_status status =
        saei_import_matrices(import, "W_enc", SAEI_INPUT_MAJOR, "W_dec", SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = saei_import_settle_activation(import, rules[rule].activation, err);
    if (status == SAE_OK && import->plan.shape.activation == SAE_TOPK) {
        double k = saei_import_number(import, "k");
        status = saei_import_settle_k(
            import, isnan(k) ? saei_import_number(import, "activation_fn_kwargs.k") : k, err);
    }
    if (status == SAE_OK)
        status = settle_input(import, err);
    if (status == SAE_OK && saei_import_true(import, "rescale_acts_by_decoder_norm")) {
        import->plan.by_decoder_norm = true;
        saei_import_choose(import, "source_decoder_norm", "activations are scaled by it; folded into W_enc");
    }
    return status == SAE_OK ? read_vectors(import, rules[rule].trains, err) : status;
}

const saei_ecosystem saei_saelens = {recognises, plan};
