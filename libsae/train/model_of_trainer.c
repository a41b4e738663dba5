#include "train/trainer.h"

#include "base/number.h"
#include "model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* relu and top-k commute with a positive factor: with both biases divided by s, the SAE of the scaled rows s
   x is the same SAE of the raw rows x, its activations in raw units, its decoder rows still of unit length.
 */
static void fold_scale(sae_model *model, const saei_parameters *p, double scale)
{
    float raw = (float)(1.0 / scale);
    memcpy(model->W_enc, p->W_enc, p->d * p->n_latents * sizeof(float));
    for (size_t j = 0; j < p->n_latents; j++)
        model->b_enc[j] = p->b_enc[j] * raw;
    memcpy(model->W_dec, p->W_dec, p->d * p->n_latents * sizeof(float));
    for (size_t i = 0; i < p->d; i++)
        model->b_dec[i] = p->b_dec[i] * raw;
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
        status = saei_model_set_metadata(model, "data_xxh3_128", t->data_hash, err);
    for (size_t i = 0; status == SAE_OK && i < sizeof entries / sizeof entries[0]; i++)
        status = saei_model_set_metadata(model, entries[i].key, entries[i].text, err);
    return status;
}

sae_status sae_trainer_model(sae_model **out, const sae_trainer *t, sae_error *err)
{
    *out = NULL;
    sae_model *model;
    const sae_params shape = {
        .d = (size_t)t->d, .n_latents = t->options.n_latents, .activation = SAE_TOPK, .k = t->options.k};
    sae_status status = saei_model_alloc(&model, t->context, &shape, err);
    if (status != SAE_OK)
        return status;
    fold_scale(model, &t->parameters, t->scale);
    status = saei_model_complete(model, "the trained model", err);
    if (status == SAE_OK)
        status = describe(model, t, err);
    if (status != SAE_OK) {
        sae_model_free(model);
        return status;
    }
    *out = model;
    return SAE_OK;
}
