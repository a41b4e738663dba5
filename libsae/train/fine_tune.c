/* Training that goes on from a model. */
#include "base/error.h"
#include "model/model.h"
#include "num/rows.h"
#include "train/choices.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static bool fits(sae_architecture architecture, sae_activation activation)
{
    switch (activation) {
    case SAE_TOPK:
        return architecture == SAE_ARCH_TOPK || architecture == SAE_ARCH_BATCHTOPK ||
               architecture == SAE_ARCH_MATRYOSHKA;
    case SAE_RELU:
        return architecture != SAE_ARCH_GATED;
    case SAE_JUMPRELU:
        return architecture == SAE_ARCH_JUMPRELU || architecture == SAE_ARCH_BATCHTOPK ||
               architecture == SAE_ARCH_MATRYOSHKA;
    case SAE_GATED:
        break;
    }
    return architecture == SAE_ARCH_GATED;
}

/* Whether all decoder rows are of unit length to rounding. */
static bool has_unit_rows(const sae_model *model)
{
    for (size_t j = 0; j < model->n_latents; j++)
        if (!(fabs(sqrt(saei_row_norm2(model->W_dec + j * model->d, model->d)) - 1.0) <= 1e-3))
            return false;
    return true;
}

sae_status saei_trainer_match_model(sae_trainer *t, const sae_model *model, sae_error *err)
{
    sae_train_options *o = &t->options;
    if (model->d != t->d)
        return saei_fail(err, SAE_E_MISMATCH,
                         "the model to be fine-tuned takes rows of width %zu, %s has %zu", model->d,
                         sae_dump_name(t->dump), (size_t)t->d);
    if (model->row_norm != SAE_NO_ROW_NORM)
        return saei_fail(
            err, SAE_E_UNSUPPORTED,
            "the model to be fine-tuned normalises each row by itself (%s); training takes rows as they "
            "are: fine-tune it with the tool that made it",
            sae_row_norm_name(model->row_norm));
    if (!fits(o->architecture, model->activation))
        return saei_fail(err, SAE_E_ARGUMENT, "a %s model cannot be fine-tuned as %s",
                         sae_activation_name(model->activation), sae_architecture_name(o->architecture));
    if (o->n_latents != 0 && o->n_latents != model->n_latents)
        return saei_fail(err, SAE_E_MISMATCH, "the model to be fine-tuned has %zu latents, not %zu",
                         model->n_latents, o->n_latents);
    o->n_latents = model->n_latents;
    if (o->k == 0 && model->activation == SAE_TOPK)
        o->k = model->k;
    o->free_decoder = o->free_decoder || !has_unit_rows(model);
    return SAE_OK;
}

/* b_dec · w_enc, which a model takes off its pre-activations and training on raw rows does not. */
static double input_offset(const sae_trainer *t, const sae_model *model, size_t j)
{
    double offset = 0.0;
    for (size_t i = 0; i < model->d && t->options.raw_input; i++)
        offset += (double)model->b_dec[i] * (double)model->W_enc[j * model->d + i];
    return offset;
}

static void fill_extras(sae_trainer *t, const sae_model *model)
{
    saei_parameters *p = &t->parameters;
    float scale = (float)t->scale;
    for (size_t j = 0; j < p->n_latents; j++) {
        if (t->options.architecture == SAE_ARCH_JUMPRELU)
            p->extra[0][j] = model->activation == SAE_JUMPRELU ? model->threshold[j] * scale
                                                               : (float)t->options.threshold_start;
        if (t->options.architecture == SAE_ARCH_GATED) {
            p->extra[0][j] = model->r_mag[j];
            double offset = exp((double)model->r_mag[j]) * input_offset(t, model, j);
            p->extra[1][j] = (float)(((double)model->b_mag[j] - offset) * t->scale);
        }
    }
}

void saei_trainer_start_from(sae_trainer *t, const sae_model *model)
{
    saei_parameters *p = &t->parameters;
    memcpy(p->W_enc, model->W_enc, p->d * p->n_latents * sizeof(float));
    memcpy(p->W_dec, model->W_dec, p->d * p->n_latents * sizeof(float));
    for (size_t i = 0; i < p->d; i++)
        p->b_dec[i] = (float)((double)model->b_dec[i] * t->scale);
    for (size_t j = 0; j < p->n_latents; j++)
        p->b_enc[j] = (float)(((double)model->b_enc[j] - input_offset(t, model, j)) * t->scale);
    fill_extras(t, model);
    if (saei_has_k(t->options.architecture) && model->activation == SAE_JUMPRELU)
        t->threshold = (double)model->threshold[0] * t->scale;
}
