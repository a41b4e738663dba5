/* Steering applied to a dump. */
#include "base/error.h"
#include "base/options.h"
#include "dump/rewrite.h"
#include "steer/steering_text.h"

void sae_steer_dump_options_init(sae_steer_dump_options *options)
{
    *options = (sae_steer_dump_options){.size = sizeof *options};
}

static sae_status change(void *user, float *rows, size_t n, sae_error *err)
{
    return sae_steering_apply(user, rows, n, err);
}

static sae_status write_dump(uint64_t *changed, sae_steering *s, const sae_dump *dump, const char *path,
                             const sae_steer_dump_options *o, sae_error *err)
{
    saei_steering_texts texts;
    saei_attribute attributes[SAEI_STEERING_TEXTS];
    sae_status status = saei_steering_texts_make(&texts, s, err);
    for (size_t i = 0; i < texts.n; i++)
        attributes[i] = (saei_attribute){texts.item[i].name, texts.item[i].value};
    const saei_rewrite how = {.where = o->where,
                              .change = change,
                              .user = s,
                              .attributes = attributes,
                              .n_attributes = texts.n,
                              .overwrite = o->overwrite,
                              .progress = o->progress,
                              .progress_user = o->progress_user};
    if (status == SAE_OK)
        status = saei_dump_rewrite(changed, dump, path, &how, err);
    saei_steering_texts_free(&texts, s);
    return status;
}

sae_status sae_steering_dump(uint64_t *changed, sae_steering *steering, const sae_dump *dump,
                             const char *path, const sae_steer_dump_options *options, sae_error *err)
{
    sae_steer_dump_options o;
    sae_steer_dump_options_init(&o);
    uint64_t count = 0;
    sae_status status = saei_options_read(&o, sizeof o, options, err);
    if (status == SAE_OK && sae_dump_dim(dump) != steering->d)
        status = saei_fail(err, SAE_E_MISMATCH, "%s: rows have %zu numbers, but the model takes %zu",
                           sae_dump_name(dump), sae_dump_dim(dump), steering->d);
    if (status == SAE_OK)
        status = write_dump(&count, steering, dump, path, &o, err);
    if (changed != NULL)
        *changed = count;
    return status;
}
