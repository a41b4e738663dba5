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

/* The tool normalises rows exactly where the activation is TopK. */
static sae_status settle_rule(sae_import *import, sae_error *err)
{
    const char *said = attribute(import, "activation");
    if (said != NULL && strcmp(said, "TopK") == 0)
        return saei_import_refuse(import, err, "each row is normalised by its own mean and deviation (TopK)");
    if (said != NULL && strcmp(said, "ReLU") != 0)
        return saei_import_refuse(import, err, "its activation is %.40s", said);
    sae_status status = saei_import_settle_activation(import, said != NULL ? "relu" : NULL, err);
    if (status != SAE_OK || import->plan.shape.activation == SAE_RELU)
        return status;
    return saei_import_refuse(import, err, "with this layout and %s, each row is normalised by itself",
                              sae_activation_name(import->plan.shape.activation));
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
        status = saei_import_settle_scale(import, 1, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, "latent_bias", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, "pre_bias", SAEI_OF_INPUTS, err)
                            : status;
}

const saei_ecosystem saei_openai = {recognises, plan};
