#include "train/trainer.h"

#include "base/number.h"
#include "model/model.h"
#include "train/choices.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static sae_activation activation_of(sae_architecture architecture)
{
    switch (architecture) {
    case SAE_ARCH_BATCHTOPK:
    case SAE_ARCH_MATRYOSHKA:
    case SAE_ARCH_JUMPRELU:
        return SAE_JUMPRELU;
    case SAE_ARCH_RELU:
    case SAE_ARCH_P_ANNEAL:
        return SAE_RELU;
    case SAE_ARCH_GATED:
        return SAE_GATED;
    case SAE_ARCH_TOPK:
        break;
    }
    return SAE_TOPK;
}

/* x W_enc = (x − b_dec) W_enc + b_dec · W_enc: a model always subtracts b_dec, and biases make up for it. */
static double input_offset(const saei_parameters *p, size_t j, bool raw_input)
{
    double offset = 0.0;
    for (size_t i = 0; i < p->d && raw_input; i++)
        offset += (double)p->b_dec[i] * (double)p->W_enc[j * p->d + i];
    return offset;
}

/* A model chooses by its pre-activations: where training chose by others, these are its own, and the length
   of a decoder row is in its encoder row. */
static void fill_rows(sae_model *model, const sae_trainer *t)
{
    const saei_parameters *p = &t->parameters;
    const saei_selection_weights *selection = &t->objective.selection;
    memcpy(model->W_enc, selection->W != NULL ? selection->W : p->W_enc, p->d * p->n_latents * sizeof(float));
    memcpy(model->W_dec, p->W_dec, p->d * p->n_latents * sizeof(float));
    for (size_t j = 0; j < p->n_latents && selection->norm != NULL; j++)
        for (size_t i = 0; i < p->d; i++)
            model->W_dec[j * p->d + i] /= selection->norm[j];
}

/* Every activation rule commutes with a positive factor: with biases and thresholds divided by s, the SAE of
   the scaled rows s x is the same SAE of the raw rows x, its activations in raw units, its decoder rows as
   long as before. */
static void fold_scale(sae_model *model, const sae_trainer *t)
{
    const saei_parameters *p = &t->parameters;
    double raw = 1.0 / t->scale;
    fill_rows(model, t);
    for (size_t i = 0; i < p->d; i++)
        model->b_dec[i] = p->b_dec[i] * (float)raw;
    for (size_t j = 0; j < p->n_latents; j++) {
        double offset = input_offset(p, j, t->options.raw_input);
        double norm = t->options.rank_by_decoder_norm ? (double)t->objective.selection.norm[j] : 1.0;
        model->b_enc[j] = (float)(((double)p->b_enc[j] + offset) * (norm * raw));
        if (model->activation == SAE_JUMPRELU)
            model->threshold[j] = (float)raw * (p->n_extra > 0 ? p->extra[0][j] : (float)t->threshold);
        if (model->activation == SAE_GATED) {
            model->r_mag[j] = p->extra[0][j];
            model->b_mag[j] = (float)(((double)p->extra[1][j] + exp((double)p->extra[0][j]) * offset) * raw);
        }
    }
}

typedef struct entry {
    const char *key;
    char text[SAEI_NUMBER_BYTES];
} entry;

static entry whole(const char *key, uint64_t value)
{
    entry e = {.key = key};
    snprintf(e.text, sizeof e.text, "%" PRIu64, value);
    return e;
}

static entry real(const char *key, double value)
{
    entry e = {.key = key};
    saei_number_format(e.text, value);
    return e;
}

static sae_status describe_penalty(sae_model *model, const sae_train_options *o, sae_error *err)
{
    static const char *const kinds[] = {"auto", "l1",        "l1_decoder_norm", "step",
                                        "tanh", "target_l0", "target_l0_codes"};
    const entry entries[] = {real("sparsity_coefficient", o->sparsity_coefficient),
                             real("sparsity_warmup", o->sparsity_warmup), whole("target_l0", o->k),
                             real("bandwidth", o->bandwidth)};
    size_t n = o->architecture == SAE_ARCH_JUMPRELU ? 4 : 2;
    sae_status status = saei_model_set_metadata(model, "sparsity", kinds[o->sparsity], err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        status = saei_model_set_metadata(model, entries[i].key, entries[i].text, err);
    return status;
}

/* How the model came about. Nothing here may depend on the clock, the paths or the thread count: equal runs
   give equal files. */
static sae_status describe(sae_model *model, const sae_trainer *t, sae_error *err)
{
    const sae_train_options *o = &t->options;
    const sae_fidelity *held = &t->metrics.heldout;
    const entry entries[] = {
        whole("seed", o->seed),
        whole("steps", t->step),
        whole("batch_rows", o->batch_rows),
        real("learning_rate", o->learning_rate),
        real("warmup", o->warmup),
        real("decay_start", o->decay_start),
        real("adam_beta1", o->beta1),
        real("adam_beta2", o->beta2),
        real("adam_epsilon", o->epsilon),
        real("clip", o->clip),
        whole("aux_k", o->aux_k),
        real("aux_coefficient", o->aux_coefficient),
        whole("dead_after", o->dead_after),
        whole("shuffle_rows", saei_batches_window_rows(t->batches)),
        real("input_scale", t->scale),
        whole("data_rows", t->rows),
        whole("heldout_rows", held->rows),
        real("heldout_fvu", held->fvu),
        real("heldout_l0", held->l0),
        real("heldout_dead", held->dead),
        real("heldout_cosine", held->cosine),
    };
    sae_status status = saei_model_set_metadata(model, "libsae_version", SAE_VERSION, err);
    if (status == SAE_OK)
        status = saei_model_set_metadata(model, "architecture", sae_architecture_name(o->architecture), err);
    if (status == SAE_OK && !saei_has_k(o->architecture))
        status = describe_penalty(model, o, err);
    if (status == SAE_OK)
        status = saei_model_set_metadata(model, "data_xxh3_128", t->data_hash, err);
    for (size_t i = 0; status == SAE_OK && i < sizeof entries / sizeof entries[0]; i++)
        status = saei_model_set_metadata(model, entries[i].key, entries[i].text, err);
    if (status == SAE_OK && o->data_seed != o->seed)
        status = saei_model_set_metadata(model, "data_seed", whole("data_seed", o->data_seed).text, err);
    return status;
}

/* Rows of two dumps: whoever applies the model must join them in the same way. */
static sae_status describe_combination(sae_model *model, const sae_trainer *t, sae_error *err)
{
    saei_joined made = saei_dump_joined(t->dump);
    if (made.name == NULL)
        return SAE_OK;
    sae_status status = saei_model_set_metadata(model, "combination", made.name, err);
    if (status == SAE_OK)
        status = saei_model_set_metadata(model, "before_scale", real("", made.before_scale).text, err);
    if (status == SAE_OK)
        status = saei_model_set_metadata(model, "after_scale", real("", made.after_scale).text, err);
    return status;
}

sae_status sae_trainer_model(sae_model **out, const sae_trainer *t, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    sae_params shape = {.d = (size_t)t->d,
                        .n_latents = t->options.n_latents,
                        .activation = activation_of(t->options.architecture)};
    shape.k = shape.activation == SAE_TOPK ? t->options.k : 0;
    sae_status status = saei_model_alloc(&model, t->context, &shape, err);
    if (status != SAE_OK)
        return status;
    fold_scale(model, t);
    status = saei_model_complete(model, "the trained model", err);
    if (status == SAE_OK)
        status = describe(model, t, err);
    if (status == SAE_OK)
        status = describe_combination(model, t, err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    *out = model;
    return SAE_OK;
}
