/* The latents of a crosscoder, from one pass over a pair. */
#include "base/error.h"
#include "base/number.h"
#include "base/options.h"
#include "diff/latent_scaling.h"
#include "dump/dump.h"

#include <string.h>

const char *sae_cross_kind_name(sae_cross_kind kind)
{
    static const char *const names[SAE_CROSS_KINDS] = {"undecided",   "shared", "between",  "after-only",
                                                       "before-only", "shrunk", "decoupled"};
    return (size_t)kind < SAE_CROSS_KINDS ? names[kind] : NULL;
}

void sae_cross_options_init(sae_cross_options *options)
{
    *options = (sae_cross_options){.size = sizeof *options,
                                   .shared_low = 0.3,
                                   .shared_high = 0.7,
                                   .exclusive = 0.1,
                                   .nu_error = 0.2,
                                   .nu_reconstruction = 0.5};
}

/* As text, which no locale can misread. A model without a note of its scales may take any pair. */
static bool agrees(const sae_model *model, const char *key, double scale)
{
    char text[SAEI_NUMBER_BYTES];
    const char *noted = sae_model_metadata(model, key);
    saei_number_format(text, scale);
    return noted == NULL || strcmp(noted, text) == 0;
}

static sae_status check(const sae_model *model, const sae_dump *dump, sae_error *err)
{
    size_t width = sae_model_dim(model);
    const char *made = sae_model_metadata(model, "combination");
    saei_joined pair = saei_dump_joined(dump);
    if (width % 2 != 0)
        return saei_fail(err, SAE_E_MISMATCH,
                         "crosscoder: the model takes rows of %zu numbers, not of two models side by side",
                         width);
    if (sae_model_params(model).row_norm != SAE_NO_ROW_NORM)
        return saei_fail(
            err, SAE_E_UNSUPPORTED,
            "crosscoder: the model normalises each row by itself (%s), so that its decoder rows have "
            "another length on every row: there are no norms to compare",
            sae_row_norm_name(sae_model_params(model).row_norm));
    if (made != NULL && strcmp(made, "pair") != 0)
        return saei_fail(err, SAE_E_MISMATCH,
                         "crosscoder: the model was trained on a %s of two dumps, not on a pair", made);
    if (pair.name != NULL &&
        !(agrees(model, "before_scale", pair.before_scale) && agrees(model, "after_scale", pair.after_scale)))
        return saei_fail(
            err, SAE_E_MISMATCH,
            "%s: scaled by %.9g and %.9g, but the model was trained with %s and %s; give these to the pair",
            sae_dump_name(dump), pair.before_scale, pair.after_scale,
            sae_model_metadata(model, "before_scale"), sae_model_metadata(model, "after_scale"));
    return saei_pass_check(model, dump, err);
}

sae_status sae_crosscoder_latents(sae_cross_latent *out, const sae_model *model, const sae_dump *pair,
                                  const sae_cross_options *options, sae_error *err)
{
    sae_cross_options o;
    sae_cross_options_init(&o);
    saei_latent_scaling *scaling = NULL;
    sae_status status = saei_options_read(&o, sizeof o, options, err);
    if (status == SAE_OK)
        status = check(model, pair, err);
    if (status == SAE_OK)
        status = saei_latent_scaling_new(&scaling, model, err);
    const saei_pass pass = {.model = model,
                            .dump = pair,
                            .reconstruct = true,
                            .consume = saei_latent_scaling_observe,
                            .consume_user = scaling,
                            .progress = o.progress,
                            .progress_user = o.progress_user};
    if (status == SAE_OK)
        status = saei_pass_run(&pass, err);
    if (status == SAE_OK)
        saei_latent_scaling_finish(out, scaling, &o);
    saei_latent_scaling_free(scaling);
    return status;
}
