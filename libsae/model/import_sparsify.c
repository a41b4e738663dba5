/* EleutherAI's sparsify: cfg.json and sae.safetensors. b_dec is subtracted at the input. */
#include "model/import.h"

#include <math.h>
#include <string.h>

static bool recognises(const sae_import *import)
{
    return saei_import_has(import, "encoder.weight") && saei_import_has(import, "W_dec");
}

static sae_status check_rule(const sae_import *import, sae_error *err)
{
    const char *activation = saei_import_text(import, "activation");
    if (activation != NULL && strcmp(activation, "topk") != 0)
        return saei_import_refuse(import, err, "its activation is %.40s", activation);
    if (saei_import_true(import, "signed"))
        return saei_import_refuse(import, err, "it keeps negative activations");
    if (saei_import_true(import, "transcode"))
        return saei_import_refuse(import, err, "it is a transcoder");
    if (saei_import_true(import, "skip_connection") || saei_import_has(import, "W_skip"))
        return saei_import_refuse(import, err, "it has a skip connection");
    return SAE_OK;
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    sae_status status = check_rule(import, err);
    if (status != SAE_OK)
        return status;
    saei_import_choose(import, "source_format", "sparsify");
    status =
        saei_import_matrices(import, "encoder.weight", SAEI_LATENT_MAJOR, "W_dec", SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = saei_import_settle_activation(import, "topk", err);
    if (status == SAE_OK)
        status = saei_import_settle_k(import, saei_import_number(import, "k"), err);
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, SAE_YES, err);
    if (status == SAE_OK)
        status = saei_import_settle_scale(import, 1, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, "encoder.bias", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, "b_dec", SAEI_OF_INPUTS, err) : status;
}

const saei_ecosystem saei_sparsify = {recognises, plan};
