/* Directions with all that a hook in the network needs, as safetensors. */
#include "base/memory.h"
#include "io/safetensors.h"
#include "steer/steering_text.h"

#include <math.h>
#include <string.h>

enum { FIXED_METADATA = 16 };

typedef struct steering_file {
    const sae_steering *steering;
    saei_steering_texts texts;
    saei_metadata metadata[FIXED_METADATA + SAEI_STEERING_TEXTS];
    size_t n;
    char mean_norm[SAEI_NUMBER_BYTES], typical[SAEI_NUMBER_BYTES], largest[SAEI_NUMBER_BYTES];
    float *decoder; /* [n, d] */
    float *basis;   /* [rank, d] */
} steering_file;

static void add(steering_file *f, const char *key, const char *value)
{
    if (value != NULL)
        f->metadata[f->n++] = (saei_metadata){key, value};
}

static void add_number(steering_file *f, char *text, const char *key, double value)
{
    if (!isfinite(value))
        return;
    saei_number_format(text, value);
    add(f, key, text);
}

static void describe(steering_file *f, const sae_steer_scale *scale, const sae_dump *dump)
{
    add(f, "format", "libsae-steering");
    add(f, "version", "1");
    for (size_t i = 0; i < f->texts.n; i++)
        if (scale == NULL || strcmp(f->texts.item[i].name, "steering_mean_norm") != 0)
            add(f, f->texts.item[i].name, f->texts.item[i].value);
    add(f, "unit", f->steering->mean_norm > 0 ? "true" : "false");
    if (dump != NULL) {
        add(f, "model", sae_dump_attribute(dump, "model"));
        add(f, "hook", sae_dump_attribute(dump, "hook"));
        add(f, "layer", sae_dump_attribute(dump, "layer"));
    }
    if (scale != NULL) {
        add_number(f, f->mean_norm, "steering_mean_norm", scale->mean_norm);
        add_number(f, f->typical, "recommended_strength", scale->typical);
        add_number(f, f->largest, "largest_strength", scale->largest);
    }
}

static sae_status gather(steering_file *f, sae_error *err)
{
    const sae_steering *s = f->steering;
    sae_params params = sae_model_params(s->model);
    sae_status status = saei_alloc(&f->decoder, s->context, saei_mul(s->n, s->d), sizeof *f->decoder, err);
    if (status == SAE_OK)
        status = saei_alloc(&f->basis, s->context, saei_mul(s->rank, s->d), sizeof *f->basis, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < s->n; i++)
        memcpy(f->decoder + i * s->d, params.W_dec + (size_t)s->latents[i] * s->d, s->d * sizeof *f->decoder);
    for (size_t i = 0; i < s->rank * s->d; i++)
        f->basis[i] = (float)s->basis[i];
    return SAE_OK;
}

sae_status sae_steering_save(const sae_steering *s, const sae_steer_scale *scale, const sae_dump *dump,
                             const char *path, bool overwrite, sae_error *err)
{
    steering_file f = {.steering = s};
    sae_status status = saei_steering_texts_make(&f.texts, s, err);
    if (status == SAE_OK)
        status = gather(&f, err);
    describe(&f, scale, dump);
    const saei_tensor_out tensors[] = {
        {.name = "direction", .dtype = SAEI_F32, .rank = 1, .shape = {s->d}, .data = s->direction},
        {.name = "decoder", .dtype = SAEI_F32, .rank = 2, .shape = {s->n, s->d}, .data = f.decoder},
        {.name = "basis", .dtype = SAEI_F32, .rank = 2, .shape = {s->rank, s->d}, .data = f.basis},
    };
    if (status == SAE_OK)
        status = saei_safetensors_save(s->context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING,
                                       tensors, s->rank > 0 ? 3 : 2, f.metadata, f.n, err);
    saei_free(s->context, f.basis);
    saei_free(s->context, f.decoder);
    saei_steering_texts_free(&f.texts, s);
    return status;
}
