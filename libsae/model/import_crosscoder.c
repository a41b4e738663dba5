/* Crosscoders of two models, ckkissane/crosscoder-model-diff-replication: cc_weights.pt with W_enc [2, d, F],
   W_dec [F, 2, d], b_enc [F], b_dec [2, d]. Rows of both models are scaled to a mean length of √d by factors
   that the file does not hold. The model reads the rows of a pair, side by side, as `sae train --pair` makes
   them. */
#include "model/import.h"

#include "base/error.h"

#include <math.h>

enum { MODELS = 2 };

static bool recognises(const sae_import *import)
{
    const saei_array_info *W_enc = saei_import_tensor(import, "W_enc"),
                          *W_dec = saei_import_tensor(import, "W_dec");
    return W_enc != NULL && W_dec != NULL && W_enc->rank == 3 && W_dec->rank == 3;
}

static sae_status read_shape(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    const saei_array_info *W_enc = saei_import_tensor(import, "W_enc"),
                          *W_dec = saei_import_tensor(import, "W_dec"),
                          *b_dec = saei_import_tensor(import, "b_dec");
    uint64_t models = W_enc->shape[0], d = W_enc->shape[1], F = W_enc->shape[2];
    if (models != MODELS)
        return saei_import_refuse(import, err, "it is a crosscoder of %llu models",
                                  (unsigned long long)models);
    if (W_dec->shape[0] != F || W_dec->shape[1] != MODELS || W_dec->shape[2] != d || b_dec == NULL ||
        b_dec->rank != 2 || b_dec->shape[0] != MODELS || b_dec->shape[1] != d)
        return saei_fail(err, SAE_E_FORMAT,
                         "%s: W_enc is [2, d, F], so that W_dec must be [F, 2, d] and b_dec [2, d]",
                         import->path);
    plan->shape.d = (size_t)(MODELS * d);
    plan->shape.n_latents = (size_t)F;
    plan->W_enc = (saei_matrix_source){W_enc, SAEI_INPUT_MAJOR};
    plan->W_dec = (saei_matrix_source){W_dec, SAEI_LATENT_MAJOR};
    plan->b_dec = b_dec;
    saei_import_choose(import, "source_orientation", "W_enc [2, d, F], W_dec [F, 2, d]");
    return SAE_OK;
}

/* The scales belong to the pair of dumps, which is joined with them, and not to the weights. */
static sae_status settle_scales(sae_import *import, sae_error *err)
{
    sae_status status = saei_import_settle_scale(import, (double)NAN, err);
    if (status != SAE_OK)
        return status;
    double before = import->plan.input_scale, after = import->options.input_scale_after;
    saei_import_choose(import, "combination", "pair");
    saei_import_choose(import, "before_scale", "%.9g", before);
    saei_import_choose(import, "after_scale", "%.9g", after > 0 ? after : before);
    import->plan.input_scale = import->plan.output_scale = 1;
    return SAE_OK;
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_choose(import, "source_format", "crosscoder of two models");
    sae_status status = read_shape(import, err);
    if (status == SAE_OK)
        status = saei_import_settle_activation(import, "relu", err);
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, SAE_NO, err);
    if (status == SAE_OK)
        status = settle_scales(import, err);
    return status == SAE_OK ? saei_import_vector(&import->plan.b_enc, import, "b_enc", SAEI_OF_LATENTS, err)
                            : status;
}

const saei_ecosystem saei_crosscoder = {recognises, plan};
