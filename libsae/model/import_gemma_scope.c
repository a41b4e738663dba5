/* Gemma Scope: params.npz and, since its second version, params.safetensors; a JumpReLU that does not
   subtract b_dec at the input. libsae's own .npz has the same layout, with `k` for a TopK, and `r_mag` and
   `b_mag` for a gated model. Files with these tensors that are neither leave open what b_dec does. */
#include "model/import.h"

#include <math.h>
#include <string.h>

static const char *first_present(const sae_import *import, const char *name, const char *other)
{
    return saei_import_has(import, name) ? name : other;
}

static bool recognises(const sae_import *import)
{
    return saei_import_has(import, first_present(import, "W_enc", "w_enc")) &&
           saei_import_has(import, first_present(import, "W_dec", "w_dec"));
}

static bool is_known_layout(const sae_import *import)
{
    const char *architecture = saei_import_text(import, "architecture");
    return strcmp(saei_reader_format(import->reader), "npz") == 0 ||
           (architecture != NULL && strcmp(architecture, "jump_relu") == 0);
}

static sae_status settle_rule(sae_import *import, bool known, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    bool has_k = saei_import_has(import, "k"), gated = saei_import_has(import, "r_mag");
    bool jump = saei_import_has(import, "threshold");
    const char *said = gated ? "gated" : has_k && !jump ? "topk" : jump && !has_k ? "jumprelu" : NULL;
    sae_status status = saei_import_settle_activation(import, said, err);
    double k;
    if (status == SAE_OK)
        status = saei_import_settle_b_dec(import, known ? SAE_NO : SAE_UNSTATED, err);
    if (status == SAE_OK && plan->shape.activation == SAE_TOPK) {
        status = saei_import_scalar(&k, import, "k", err);
        return status == SAE_OK ? saei_import_settle_k(import, k, err) : status;
    }
    if (status == SAE_OK && plan->shape.activation == SAE_JUMPRELU && jump) {
        saei_import_choose(import, "source_threshold", "threshold");
        return saei_import_vector(&plan->threshold, import, "threshold", SAEI_OF_LATENTS_OR_ONE, err);
    }
    if (status == SAE_OK && plan->shape.activation == SAE_JUMPRELU)
        return saei_import_settle_threshold(import, (double)NAN, err);
    if (status == SAE_OK && plan->shape.activation == SAE_GATED) {
        status = saei_import_vector(&plan->r_mag, import, "r_mag", SAEI_OF_LATENTS, err);
        return status == SAE_OK ? saei_import_vector(&plan->b_mag, import, "b_mag", SAEI_OF_LATENTS, err)
                                : status;
    }
    return status;
}

static sae_status plan(sae_import *import, sae_error *err)
{
    saei_import_plan *plan = &import->plan;
    bool known = is_known_layout(import);
    if (saei_import_has(import, "affine_skip_connection") || saei_import_has(import, "W_skip"))
        return saei_import_refuse(import, err, "it has a skip connection");
    saei_import_choose(import, "source_format", "%s", known ? "Gemma Scope layout" : "W_enc and W_dec by name");
    sae_status status =
        saei_import_matrices(import, first_present(import, "W_enc", "w_enc"), SAEI_INPUT_MAJOR,
                             first_present(import, "W_dec", "w_dec"), SAEI_LATENT_MAJOR, err);
    if (status == SAE_OK)
        status = settle_rule(import, known, err);
    if (status == SAE_OK)
        status = saei_import_settle_scale(import, known ? 1 : (double)NAN, err);
    if (status == SAE_OK)
        status = saei_import_vector(&plan->b_enc, import, "b_enc", SAEI_OF_LATENTS, err);
    return status == SAE_OK ? saei_import_vector(&plan->b_dec, import, "b_dec", SAEI_OF_INPUTS, err) : status;
}

const saei_ecosystem saei_gemma_scope = {recognises, plan};
