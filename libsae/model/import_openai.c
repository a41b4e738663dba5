/* openai/sparse_autoencoder: one .pt with a state dict and the name of the activation. */
#include "model/import.h"

#include <math.h>
#include <string.h>

static bool recognises(const sae_import *import)
{
    return saei_import_has(import, "pre_bias") && saei_import_has(import, "latent_bias");
}

static const char *attribute(const sae_import *import, const char *name)
{
    for (size_t i = 0; i < saei_reader_attributes(import->reader); i++)
        if (strcmp(saei_reader_attribute_name(import->reader, i), name) == 0)
            return saei_reader_attribute_value(import->reader, i);
    return NULL;
}

static sae_status settle_topk(sae_import *import, sae_error *err)
{
    const char *after = attribute(import, "activation_state_dict.postact_fn");
    if (after != NULL && strcmp(after, "ReLU") != 0)
        return saei_import_refuse(import, err,
                                  "the k largest go through %.40s, which keeps negative activations", after);
    double k;
    sae_status status = saei_import_scalar(&k, import, "activation_state_dict.k", err);
    return status == SAE_OK ? saei_import_settle_k(import, k, err) : status;
}

static sae_status settle_rule(sae_import *import, sae_error *err)
{
    const char *said = attribute(import, "activation");
    bool topk = said != NULL && strcmp(said, "TopK") == 0;
    if (said != NULL && !topk && strcmp(said, "ReLU") != 0)
        return saei_import_refuse(import, err, "its activation is %.40s", said);
    const char *rule = topk ? "topk" : said != NULL ? "relu" : NULL;
    sae_status status = saei_import_settle_activation(import, rule, err);
    if (status != SAE_OK || import->plan.shape.activation == SAE_RELU)
        return status;
    if (import->plan.shape.activation == SAE_TOPK)
        return settle_topk(import, err);
    return saei_import_refuse(import, err, "this layout is used with ReLU and TopK, not with %s",
                              sae_activation_name(import->plan.shape.activation));
}

/* Nothing in the file says that rows are normalised: the tool does so exactly where the activation is TopK.
 */
static sae_status settle_rows(sae_import *import, sae_error *err)
{
    if (import->plan.shape.activation == SAE_TOPK)
        return saei_import_settle_row_norm(import, SAE_LAYER_NORM, "layer_norm, as always with TopK", err);
    return saei_import_settle_scale(import, 1, err);
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    saei_import_choose(import, "source_format", "OpenAI sparse_autoencoder");
    sae_status status = saei_import_matrices(import, "encoder.weight", SAEI_LATENT_MAJOR, "decoder.weight",
                                             SAEI_INPUT_MAJOR, err);
    if (status == SAE_OK)
        status = settle_rule(import, err);
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, SAE_YES, err);
    if (status == SAE_OK)
        status = settle_rows(import, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, "latent_bias", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, "pre_bias", SAEI_OF_INPUTS, err)
                            : status;
}

const saei_ecosystem saei_openai = {recognises, plan};
