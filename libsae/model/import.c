/* Models of other tools: recognised, explained, read. */
#include "model/import.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "model/model_file.h"

#include <math.h>

/* The first that recognises the files plans the import: those whose names are their own come before those
   that share W_enc and W_dec with others. */
static const saei_ecosystem *const ecosystems[] = {
    &saei_crosscoder,          &saei_openai,    &saei_openmoss,    &saei_saelens, &saei_sparsify,
    &saei_dictionary_learning, &saei_batchtopk, &saei_gemma_scope,
};
enum { ECOSYSTEMS = sizeof ecosystems / sizeof ecosystems[0] };

void sae_import_options_init(sae_import_options *options)
{
    *options = (sae_import_options){.size = sizeof *options, .threshold = (double)NAN};
}

static sae_status read_options(sae_import_options *out, const sae_import_options *given, sae_error *err)
{
    sae_import_options_init(out);
    sae_status status = saei_options_read(out, sizeof *out, given, err);
    if (status != SAE_OK)
        return status;
    if (out->threshold < 0 || isinf(out->threshold))
        return saei_fail(err, SAE_E_ARGUMENT, "threshold %g: finite, 0 or above", out->threshold);
    if (!(out->input_scale >= 0) || isinf(out->input_scale))
        return saei_fail(err, SAE_E_ARGUMENT, "input scale %g: finite, above 0", out->input_scale);
    if (!(out->input_scale_after >= 0) || isinf(out->input_scale_after))
        return saei_fail(err, SAE_E_ARGUMENT, "input scale of the second model %g: finite, above 0",
                         out->input_scale_after);
    if ((unsigned)out->b_dec_at_input > SAE_YES)
        return saei_fail(err, SAE_E_ARGUMENT, "%d is no answer", (int)out->b_dec_at_input);
    return SAE_OK;
}

/* A file of libsae leaves nothing open. */
static sae_status plan_own(sae_import *import, sae_error *err)
{
    const sae_import_options *o = &import->options;
    if (o->activation != NULL || o->k != 0 || !isnan(o->threshold) || o->input_scale != 0 ||
        o->input_scale_after != 0 || o->b_dec_at_input != SAE_UNSTATED)
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: a model of libsae says all of this itself: --activation, -k, --threshold, "
                         "--input-scale and --b-dec-at-input are for other tools' files",
                         import->path);
    return saei_model_file_shape(&import->plan.shape, import->context, import->path, err);
}

static sae_status plan(sae_import *import, sae_error *err)
{
    import->plan.input_scale = import->plan.output_scale = 1;
    import->plan.threshold_value = 0;
    if (import->own)
        return plan_own(import, err);
    for (size_t i = 0; i < ECOSYSTEMS; i++)
        if (ecosystems[i]->recognises(import))
            return ecosystems[i]->plan(import, err);
    return saei_fail(err, SAE_E_FORMAT,
                     "%s: a %s file, but its %zu tensors are not those of a model that libsae knows",
                     import->path, saei_reader_format(import->reader), saei_reader_count(import->reader));
}

sae_status sae_import_open(sae_import **out, sae_context *context, const char *path,
                           const sae_import_options *options, sae_error *err)
{
    *out = NULL;
    sae_import *import;
    sae_status status = saei_alloc(&import, context, 1, sizeof *import, err);
    if (status != SAE_OK)
        return status;
    import->context = context;
    status = read_options(&import->options, options, err);
    if (status == SAE_OK)
        status = saei_import_find(import, path, err);
    if (status == SAE_OK)
        status = plan(import, err);
    if (status != SAE_OK) {
        sae_import_free(import);
        return status;
    }
    *out = import;
    return SAE_OK;
}

void sae_import_free(sae_import *import)
{
    if (import == NULL)
        return;
    sae_context *context = import->context;
    saei_reader_free(import->reader);
    json_decref(import->config);
    saei_free(context, import->config_path);
    saei_free(context, import->path);
    saei_free(context, import);
}

size_t sae_import_choices(const sae_import *import)
{
    return import->n_choices;
}

const char *sae_import_choice_key(const sae_import *import, size_t i)
{
    return i < import->n_choices ? import->choices[i].key : NULL;
}

const char *sae_import_choice_value(const sae_import *import, size_t i)
{
    return i < import->n_choices ? import->choices[i].value : NULL;
}

sae_params sae_import_shape(const sae_import *import)
{
    return import->plan.shape;
}

sae_status sae_import_model(sae_model **out, sae_import *import, sae_error *err)
{
    if (import->own)
        return saei_model_file_load(out, import->context, import->path, err);
    return saei_import_build(out, import, err);
}

sae_status sae_model_load(sae_model **out, sae_context *context, const char *path, sae_error *err)
{
    *out = NULL;
    sae_import *import;
    sae_status status = sae_import_open(&import, context, path, NULL, err);
    if (status == SAE_OK)
        status = sae_import_model(out, import, err);
    sae_import_free(import);
    return status;
}
