/* saprmarks/dictionary_learning: ae.pt, a state dict, and config.json, which names its class. The tool scales
   biases back to raw units before it saves. */
#include "model/import.h"

#include <math.h>
#include <string.h>

typedef struct dictionary {
    const char *class_name, *activation; /* NULL: the class does not tell TopK from BatchTopK */
    const char *architecture;            /* as libsae calls it; NULL: as the activation */
    bool linear;                         /* encoder.weight, decoder.weight; else W_enc, W_dec */
    const char *b_enc, *b_dec;
    sae_answer b_dec_at_input;
} dictionary;

/* The class without a name is what TopK and BatchTopK have in common. */
static const dictionary dictionaries[] = {
    {"AutoEncoder", "relu", NULL, true, "encoder.bias", "bias", SAE_YES},
    {"AutoEncoderNew", "relu", NULL, true, "encoder.bias", "decoder.bias", SAE_NO},
    {"GatedAutoEncoder", "gated", NULL, true, "gate_bias", "decoder_bias", SAE_YES},
    {"AutoEncoderTopK", "topk", NULL, true, "encoder.bias", "b_dec", SAE_YES},
    {"BatchTopKSAE", "jumprelu", "batchtopk", true, "encoder.bias", "b_dec", SAE_YES},
    {"MatryoshkaBatchTopKSAE", "jumprelu", "matryoshka", false, "b_enc", "b_dec", SAE_YES},
    {"JumpReluAutoEncoder", "jumprelu", NULL, false, "b_enc", "b_dec", SAE_NO},
    {NULL, NULL, NULL, true, "encoder.bias", "b_dec", SAE_YES},
};
enum { DICTIONARIES = sizeof dictionaries / sizeof dictionaries[0] };

static const dictionary *of_class(const char *name)
{
    for (size_t i = 0; i < DICTIONARIES; i++)
        if (dictionaries[i].class_name == NULL
                ? name == NULL
                : name != NULL && strcmp(dictionaries[i].class_name, name) == 0)
            return &dictionaries[i];
    return NULL;
}

/* From the tensors alone; NULL: they are not those of this tool. */
static const dictionary *of_tensors(const sae_import *import)
{
    if (saei_import_has(import, "W_enc") && saei_import_has(import, "group_sizes"))
        return of_class("MatryoshkaBatchTopKSAE");
    if (!saei_import_has(import, "encoder.weight") || !saei_import_has(import, "decoder.weight"))
        return NULL;
    if (saei_import_has(import, "decoder_bias"))
        return of_class("GatedAutoEncoder");
    if (saei_import_has(import, "bias"))
        return of_class("AutoEncoder");
    return saei_import_has(import, "b_dec") ? of_class(NULL) : NULL;
}

static bool recognises(const sae_import *import)
{
    return saei_import_text(import, "trainer.dict_class") != NULL || of_tensors(import) != NULL;
}

/* A threshold below 0 was never set: training ended before its first estimate. */
static sae_status settle_rule(sae_import *import, const dictionary *kind, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    sae_status status = saei_import_settle_activation(import, kind->activation, err);
    if (status != SAE_OK)
        return status;
    double value;
    switch (plan->shape.activation) {
    case SAE_TOPK:
        status = saei_import_scalar(&value, import, "k", err);
        if (status == SAE_OK && isnan(value))
            value = saei_import_number(import, "trainer.k");
        return status == SAE_OK ? saei_import_settle_k(import, value, err) : status;
    case SAE_JUMPRELU:
        if (!kind->linear && kind->architecture == NULL) {
            saei_import_choose(import, "source_threshold", "threshold");
            return saei_import_vector(&plan->threshold, import, "threshold", SAEI_OF_LATENTS, err);
        }
        status = saei_import_scalar(&value, import, "threshold", err);
        return status == SAE_OK ? saei_import_settle_threshold(import, value >= 0 ? value : (double)NAN, err)
                                : status;
    case SAE_GATED:
        status = saei_import_vector(&plan->r_mag, import, "r_mag", SAEI_OF_LATENTS, err);
        return status == SAE_OK ? saei_import_vector(&plan->b_mag, import, "mag_bias", SAEI_OF_LATENTS, err)
                                : status;
    default:
        return SAE_OK;
    }
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    const char *name = saei_import_text(import, "trainer.dict_class");
    const dictionary *kind = name != NULL ? of_class(name) : of_tensors(import);
    if (kind == NULL)
        return saei_import_refuse(import, err, "its class is %.60s", name);
    saei_import_choose(import, "source_format", "dictionary_learning, %s",
                       kind->class_name != NULL ? kind->class_name : "AutoEncoderTopK or BatchTopKSAE");
    if (kind->architecture != NULL)
        saei_import_choose(import, "architecture", "%s", kind->architecture);
    sae_status status = kind->linear ? saei_import_matrices(import, "encoder.weight", SAEI_LATENT_MAJOR,
                                                            "decoder.weight", SAEI_INPUT_MAJOR, err)
                                     : saei_import_matrices(import, "W_enc", SAEI_INPUT_MAJOR, "W_dec",
                                                            SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = settle_rule(import, kind, err);
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, kind->b_dec_at_input, err);
    if (status == SAE_OK)
        status = saei_import_settle_scale(import, 1, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, kind->b_enc, SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, kind->b_dec, SAEI_OF_INPUTS, err)
                            : status;
}

const saei_ecosystem saei_dictionary_learning = {recognises, plan};
