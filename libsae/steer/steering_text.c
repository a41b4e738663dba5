#include "steer/steering_text.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *formula_of(const sae_steering *s)
{
    bool scaled = saei_steering_scales_rows(s);
    switch (s->op) {
    case SAE_STEER_ADD:
        return s->mean_norm > 0 ? "x + strength * mean_norm * direction"
               : scaled         ? "x + scale(x) * strength * direction"
                                : "x + strength * direction";
    case SAE_STEER_CLAMP:
        return scaled ? "x + scale(x) * sum_j (strength * weight_j - f_j(x)) * decoder_j"
                      : "x + sum_j (strength * weight_j - f_j(x)) * decoder_j";
    case SAE_STEER_ABLATE:
        return scaled ? "x - scale(x) * sum_j f_j(x) * decoder_j" : "x - sum_j f_j(x) * decoder_j";
    case SAE_STEER_PROJECT_OUT:
        break;
    }
    return "x - (x @ basis.T) @ basis";
}

static void add(saei_steering_texts *t, const char *name, const char *value)
{
    t->item[t->n++] = (saei_steering_text){name, value};
}

static void list_numbers(saei_steering_texts *t, const sae_steering *s)
{
    char *latents = t->latents, *weights = t->weights, number[SAEI_NUMBER_BYTES];
    for (size_t i = 0; i < s->n; i++) {
        const char *comma = i > 0 ? "," : "";
        latents += sprintf(latents, "%s%u", comma, s->latents[i]);
        saei_number_format(number, s->weights[i]);
        weights += sprintf(weights, "%s%s", comma, number);
    }
}

sae_status saei_steering_texts_make(saei_steering_texts *t, const sae_steering *s, sae_error *err)
{
    *t = (saei_steering_texts){0};
    sae_status status = saei_alloc(&t->latents, s->context, s->n, SAEI_NUMBER_BYTES, err);
    if (status == SAE_OK)
        status = saei_alloc(&t->weights, s->context, s->n, SAEI_NUMBER_BYTES, err);
    if (status != SAE_OK)
        return status;
    list_numbers(t, s);
    add(t, "steering_op", sae_steer_op_name(s->op));
    add(t, "steering_formula", formula_of(s));
    if (saei_steering_scales_rows(s))
        add(t, "steering_row_norm", sae_row_norm_name(sae_model_params(s->model).row_norm));
    add(t, "steering_latents", t->latents);
    if (s->op == SAE_STEER_ADD || s->op == SAE_STEER_CLAMP) {
        saei_number_format(t->strength, s->strength);
        add(t, "steering_weights", t->weights);
        add(t, "steering_strength", t->strength);
    }
    if (s->op == SAE_STEER_ADD)
        add(t, "steering_strength_unit", s->mean_norm > 0 ? "mean_norm" : "activation");
    if (s->mean_norm > 0) {
        saei_number_format(t->mean_norm, s->mean_norm);
        add(t, "steering_mean_norm", t->mean_norm);
    }
    return SAE_OK;
}

void saei_steering_texts_free(saei_steering_texts *t, const sae_steering *s)
{
    saei_free(s->context, t->latents);
    saei_free(s->context, t->weights);
}
