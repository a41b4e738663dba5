/* bartbussmann/BatchTopK and matryoshka_sae: sae.pt, a state dict, and config.json. */
#include "model/import.h"

#include <math.h>
#include <string.h>

static bool recognises(const sae_import *import)
{
    return saei_import_has(import, "W_enc") && saei_import_has(import, "W_dec") &&
           saei_import_setting(import, "act_size") != NULL &&
           saei_import_setting(import, "dict_size") != NULL;
}

static const struct {
    const char *type, *activation, *architecture;
} rules[] = {
    {"vanilla", "relu", NULL},
    {"topk", "topk", NULL},
    {"batchtopk", "jumprelu", "batchtopk"},
    {"jumprelu", "jumprelu", NULL},
    {"global-matryoshka-topk", "jumprelu", "matryoshka"},
};
enum { RULES = sizeof rules / sizeof rules[0] };

static sae_status settle_threshold(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    plan->threshold_is_log = saei_import_has(import, "log_threshold");
    const char *name = plan->threshold_is_log ? "log_threshold" : "threshold";
    if (!saei_import_has(import, name))
        return saei_import_settle_threshold(import, (double)NAN, err);
    saei_import_choose(import, "source_threshold", "%s", name);
    return saei_import_vector(&plan->threshold, import, name, SAEI_OF_LATENTS_OR_ONE, err);
}

static sae_status settle_rule(sae_import *import, sae_error *err)
{
    const char *type = saei_import_text(import, "sae_type");
    size_t rule = 0;
    while (rule < RULES && (type == NULL || strcmp(rules[rule].type, type) != 0))
        rule++;
    if (type != NULL && rule == RULES)
        return saei_import_refuse(import, err, "its sae_type is %.40s", type);
    if (rule < RULES && rules[rule].architecture != NULL)
        saei_import_choose(import, "architecture", "%s", rules[rule].architecture);
    sae_status status =
        saei_import_settle_activation(import, rule < RULES ? rules[rule].activation : NULL, err);
    if (status == SAE_OK && import->plan.shape.activation == SAE_TOPK)
        status = saei_import_settle_k(import, saei_import_number(import, "top_k"), err);
    if (status == SAE_OK && import->plan.shape.activation == SAE_JUMPRELU)
        status = settle_threshold(import, err);
    return status;
}

/* The name is historical: rows get the mean 0 and the deviation 1. */
static sae_status settle_rows(sae_import *import, sae_error *err)
{
    if (saei_import_true(import, "input_unit_norm"))
        return saei_import_settle_row_norm(import, SAE_LAYER_NORM, "input_unit_norm", err);
    return saei_import_settle_scale(import, 1, err);
}

/* b_enc is stored by every class and used by the vanilla and JumpReLU ones; in the others it is 0 unless
   use_encoder_bias was set, so that it may be added in all. */
static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    saei_import_choose(import, "source_format", "BatchTopK");
    sae_status status =
        saei_import_matrices(import, "W_enc", SAEI_INPUT_MAJOR, "W_dec", SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = settle_rule(import, err);
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, SAE_YES, err);
    if (status == SAE_OK)
        status = settle_rows(import, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, "b_enc", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, "b_dec", SAEI_OF_INPUTS, err) : status;
}

const saei_ecosystem saei_batchtopk = {recognises, plan};
