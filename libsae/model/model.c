#include "model/model.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

const char *sae_activation_name(sae_activation activation)
{
    static const char *const names[] = {"topk", "relu", "jumprelu", "gated"};
    return (size_t)activation < sizeof names / sizeof names[0] ? names[activation] : NULL;
}

static sae_status check_shape(const sae_params *shape, sae_error *err)
{
    if (sae_activation_name(shape->activation) == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%d is no activation", (int)shape->activation);
    if (shape->d < 1 || shape->n_latents < 1 || shape->n_latents > UINT32_MAX)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "a model needs d >= 1 and 1 <= latents < 2^32, not d = %zu, %zu latents", shape->d,
                         shape->n_latents);
    if (shape->activation == SAE_TOPK ? shape->k < 1 || shape->k > shape->n_latents : shape->k != 0)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "k = %zu for a %s model of %zu latents: TopK needs 1 <= k <= latents, the others 0",
                         shape->k, sae_activation_name(shape->activation), shape->n_latents);
    if (sae_row_norm_name(shape->row_norm) == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%d is no norm of rows", (int)shape->row_norm);
    if (shape->row_norm == SAE_LAYER_NORM && shape->d < 2)
        return saei_fail(err, SAE_E_ARGUMENT, "a layer norm needs rows of two numbers or more, not d = 1");
    return SAE_OK;
}

/* Vectors of length F beside b_enc: those of the parameters and those derived from them. */
static size_t count_vectors(sae_activation activation)
{
    return activation == SAE_JUMPRELU ? 1 : activation == SAE_GATED ? 5 : 0;
}

static void place_vectors(sae_model *model, float *at)
{
    size_t F = model->n_latents;
    if (model->activation == SAE_JUMPRELU)
        model->threshold = at;
    if (model->activation != SAE_GATED)
        return;
    model->r_mag = at;
    model->b_mag = at + F;
    model->gain = at + 2 * F;
    model->gate = at + 3 * F;
    model->no_bias = at + 4 * F;
}

sae_status saei_model_alloc(sae_model **out, sae_context *context, const sae_params *shape, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    sae_status status = check_shape(shape, err);
    if (status == SAE_OK)
        status = saei_alloc(&model, context, 1, sizeof *model, err);
    if (status != SAE_OK)
        return status;
    *model = (sae_model){.context = context,
                         .d = shape->d,
                         .n_latents = shape->n_latents,
                         .k = shape->k,
                         .activation = shape->activation,
                         .row_norm = shape->row_norm};
    size_t matrix = saei_mul(model->d, model->n_latents);
    size_t vectors = saei_mul(1 + count_vectors(model->activation), model->n_latents);
    status = saei_alloc(&model->W_enc, context, saei_add(saei_mul(2, matrix), saei_add(vectors, model->d)),
                        sizeof(float), err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    model->W_dec = model->W_enc + matrix;
    model->b_dec = model->W_dec + matrix;
    model->b_enc = model->b_dec + model->d;
    place_vectors(model, model->b_enc + model->n_latents);
    *out = model;
    return SAE_OK;
}

size_t saei_model_vectors(saei_model_vector out[SAEI_MODEL_VECTORS_MAX], const sae_model *model)
{
    size_t n = 0;
    if (model->threshold != NULL)
        out[n++] = (saei_model_vector){"threshold", model->threshold};
    if (model->r_mag != NULL)
        out[n++] = (saei_model_vector){"r_mag", model->r_mag};
    if (model->b_mag != NULL)
        out[n++] = (saei_model_vector){"b_mag", model->b_mag};
    return n;
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static const char *not_finite(const sae_model *model)
{
    size_t matrix = model->d * model->n_latents;
    const char *bad = !all_finite(model->W_enc, matrix)             ? "W_enc"
                      : !all_finite(model->W_dec, matrix)           ? "W_dec"
                      : !all_finite(model->b_enc, model->n_latents) ? "b_enc"
                      : !all_finite(model->b_dec, model->d)         ? "b_dec"
                                                                    : NULL;
    saei_model_vector vectors[SAEI_MODEL_VECTORS_MAX];
    size_t n = saei_model_vectors(vectors, model);
    for (size_t v = 0; v < n && bad == NULL; v++)
        if (!all_finite(vectors[v].values, model->n_latents))
            bad = vectors[v].name;
    return bad;
}

/* xc · W_enc is compared with −b_enc, so that the magnitude starts from the product itself: (π − b_enc) would
   have lost digits of it. Both tests say the same, for a float sum is above 0 only if the exact one is. */
static void derive_gate(sae_model *model)
{
    for (size_t j = 0; j < model->n_latents; j++) {
        model->gain[j] = (float)exp((double)model->r_mag[j]);
        model->gate[j] = -model->b_enc[j];
    }
}

sae_status saei_model_complete(sae_model *model, const char *where, sae_error *err)
{
    const char *bad = not_finite(model);
    if (bad == NULL && model->activation == SAE_GATED) {
        derive_gate(model);
        bad = all_finite(model->gain, model->n_latents) ? NULL : "exp(r_mag)";
    }
    if (bad != NULL)
        return saei_fail(err, SAE_E_NONFINITE, "%s: %s holds NaN or Inf; this model cannot be used", where,
                         bad);
    for (size_t j = 0; model->threshold != NULL && j < model->n_latents; j++)
        if (model->threshold[j] < 0)
            return saei_fail(err, SAE_E_ARGUMENT,
                             "%s: threshold %g of latent %zu is negative, and so would be its activations; "
                             "thresholds are 0 or above",
                             where, (double)model->threshold[j], j);
    sae_status status =
        saei_panels_new(&model->panels, model->context, model->d, model->n_latents, NULL, err);
    if (status == SAE_OK)
        saei_panels_pack(model->panels, 0, model->n_latents, model->W_enc);
    return status;
}

saei_encoder saei_model_encoder(const sae_model *model, size_t k)
{
    saei_encoder encoder = {.d = model->d,
                            .n_latents = model->n_latents,
                            .k = k,
                            .W_enc = model->W_enc,
                            .b_enc = model->b_enc,
                            .panels = model->panels};
    if (model->activation == SAE_JUMPRELU)
        encoder.floor = model->threshold;
    if (model->activation == SAE_GATED) {
        encoder.b_enc = model->no_bias;
        encoder.floor = model->gate;
    }
    return encoder;
}

static sae_status check_vectors(const sae_params *p, sae_error *err)
{
    bool jump = p->activation == SAE_JUMPRELU, gated = p->activation == SAE_GATED;
    if ((p->threshold != NULL) == jump && (p->r_mag != NULL) == gated && (p->b_mag != NULL) == gated)
        return SAE_OK;
    return saei_fail(err, SAE_E_ARGUMENT,
                     "a %s model: threshold belongs to jumprelu, r_mag and b_mag to gated, all others leave "
                     "them NULL",
                     sae_activation_name(p->activation));
}

static void copy_parameters(sae_model *model, const sae_params *params)
{
    size_t matrix = params->d * params->n_latents, vector = params->n_latents * sizeof(float);
    memcpy(model->W_enc, params->W_enc, matrix * sizeof(float));
    memcpy(model->W_dec, params->W_dec, matrix * sizeof(float));
    memcpy(model->b_enc, params->b_enc, vector);
    memcpy(model->b_dec, params->b_dec, params->d * sizeof(float));
    if (model->threshold != NULL)
        memcpy(model->threshold, params->threshold, vector);
    if (model->r_mag != NULL)
        memcpy(model->r_mag, params->r_mag, vector);
    if (model->b_mag != NULL)
        memcpy(model->b_mag, params->b_mag, vector);
}

sae_status sae_model_new(sae_model **out, sae_context *context, const sae_params *params, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    sae_status status = saei_model_alloc(&model, context, params, err);
    if (status != SAE_OK)
        return status;
    status = check_vectors(params, err);
    if (status == SAE_OK) {
        copy_parameters(model, params);
        status = saei_model_complete(model, "parameters", err);
    }
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    *out = model;
    return SAE_OK;
}

void sae_model_free(sae_model *model)
{
    if (model == NULL)
        return;
    saei_model_free_metadata(model);
    saei_panels_free(model->panels);
    saei_free(model->context, model->W_enc);
    saei_free(model->context, model);
}

size_t sae_model_dim(const sae_model *model)
{
    return model->d;
}

size_t sae_model_latents(const sae_model *model)
{
    return model->n_latents;
}

size_t sae_model_k(const sae_model *model)
{
    return model->k;
}

sae_params sae_model_params(const sae_model *model)
{
    return (sae_params){.d = model->d,
                        .n_latents = model->n_latents,
                        .activation = model->activation,
                        .k = model->k,
                        .W_enc = model->W_enc,
                        .b_enc = model->b_enc,
                        .W_dec = model->W_dec,
                        .b_dec = model->b_dec,
                        .threshold = model->threshold,
                        .r_mag = model->r_mag,
                        .b_mag = model->b_mag,
                        .row_norm = model->row_norm};
}
