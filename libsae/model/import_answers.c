/* What the files of a tool say and what the user answered, brought together. */
#include "base/error.h"
#include "model/import.h"

#include <math.h>
#include <string.h>

static sae_status contradicted(const sae_import *import, const char *option, const char *answer,
                               const char *said, sae_error *err)
{
    return saei_fail(err, SAE_E_MISMATCH, "%s: %s %s contradicts its files, which say %s: leave it away",
                     import->path, option, answer, said);
}

static sae_status silent(const sae_import *import, const char *what, const char *option, sae_error *err)
{
    return saei_fail(err, SAE_E_UNSUPPORTED, "%s: its files do not say %s: pass %s", import->path, what,
                     option);
}

static bool known_activation(sae_activation *out, const char *name)
{
    const char *known;
    for (int i = 0; name != NULL && (known = sae_activation_name((sae_activation)i)) != NULL; i++)
        if (strcmp(name, known) == 0) {
            *out = (sae_activation)i;
            return true;
        }
    return false;
}

sae_status saei_import_settle_activation(sae_import *import, const char *said, sae_error *err)
{
    const char *answer = import->options.activation;
    sae_activation wanted;
    if (answer != NULL && !known_activation(&wanted, answer))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "activation \"%.40s\": topk, relu, jumprelu and gated are known", answer);
    if (said == NULL && answer == NULL)
        return silent(import, "how pre-activations become activations",
                      "--activation topk, relu, jumprelu or gated", err);
    if (said != NULL && answer != NULL && strcmp(said, answer) != 0)
        return contradicted(import, "--activation", answer, said, err);
    known_activation(&import->plan.shape.activation, said != NULL ? said : answer);
    saei_import_choose(import, "source_activation", "%s%s", said != NULL ? said : answer,
                       said != NULL ? "" : ", by --activation");
    return SAE_OK;
}

sae_status saei_import_settle_k(sae_import *import, double said, sae_error *err)
{
    size_t answer = import->options.k, F = import->plan.shape.n_latents;
    if (isnan(said) && answer == 0)
        return silent(import, "how many latents are active in a row", "-k", err);
    double k = isnan(said) ? (double)answer : said;
    if (!isnan(said) && answer != 0 && (double)answer != said)
        return saei_fail(err, SAE_E_MISMATCH, "%s: -k %zu contradicts its files, which say %g: leave it away",
                         import->path, answer, said);
    if (!(k >= 1 && k <= (double)F) || k != floor(k))
        return saei_fail(err, SAE_E_FORMAT, "%s: k = %g is no whole number from 1 to its %zu latents",
                         import->path, k, F);
    import->plan.shape.k = (size_t)k;
    saei_import_choose(import, "source_k", "%.0f%s", k, isnan(said) ? ", by -k" : "");
    return SAE_OK;
}

sae_status saei_import_settle_threshold(sae_import *import, double said, sae_error *err)
{
    double answer = import->options.threshold;
    if (isnan(said) && isnan(answer))
        return silent(import, "the threshold above which a latent is active", "--threshold", err);
    if (!isnan(said) && !isnan(answer) && answer != said)
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: --threshold %g contradicts its files, which say %g: leave it away",
                         import->path, answer, said);
    double value = isnan(said) ? answer : said;
    import->plan.threshold_value = value;
    saei_import_choose(import, "source_threshold", "%.9g for all latents%s", value,
                       isnan(said) ? ", by --threshold" : "");
    return SAE_OK;
}

sae_status saei_import_settle_scale(sae_import *import, double said, sae_error *err)
{
    double answer = import->options.input_scale;
    if (isnan(said) && answer == 0)
        return silent(import, "what rows are multiplied by before they enter it",
                      "--input-scale, 1 for rows as they are", err);
    if (!isnan(said) && answer != 0 && fabs(answer - said) > 1e-6 * fabs(said))
        return saei_fail(err, SAE_E_MISMATCH,
                         "%s: --input-scale %g contradicts its files, which say %g: leave it away",
                         import->path, answer, said);
    double scale = isnan(said) ? answer : said;
    if (!(scale > 0) || !isfinite(scale))
        return saei_fail(err, SAE_E_FORMAT, "%s: rows are scaled by %g, which is no positive number",
                         import->path, scale);
    import->plan.input_scale = import->plan.output_scale = scale;
    saei_import_choose(import, "source_scale", "%.9g%s%s", scale,
                       scale == 1 ? "" : ", folded into the weights",
                       isnan(said) ? ", by --input-scale" : "");
    return SAE_OK;
}

sae_status saei_import_settle_b_dec(sae_import *import, sae_answer said, sae_error *err)
{
    sae_answer answer = import->options.b_dec_at_input;
    if (said == SAE_UNSTATED && answer == SAE_UNSTATED)
        return silent(import, "whether b_dec is subtracted before the encoder", "--b-dec-at-input yes or no",
                      err);
    if (said != SAE_UNSTATED && answer != SAE_UNSTATED && said != answer)
        return contradicted(import, "--b-dec-at-input", answer == SAE_YES ? "yes" : "no",
                            said == SAE_YES ? "yes" : "no", err);
    bool subtracted = (said != SAE_UNSTATED ? said : answer) == SAE_YES;
    import->plan.b_dec_at_input = subtracted;
    saei_import_choose(import, "source_b_dec", "%s%s",
                       subtracted ? "subtracted at the input" : "not at the input; folded into b_enc",
                       said != SAE_UNSTATED ? "" : ", by --b-dec-at-input");
    return SAE_OK;
}

sae_status saei_import_settle_row_norm(sae_import *import, sae_row_norm norm, const char *said,
                                       sae_error *err)
{
    import->plan.shape.row_norm = norm;
    saei_import_choose(import, "source_row_norm", "%s: each row by itself, %s; undone at the output", said,
                       norm == SAE_LAYER_NORM ? "(x - mean) / (sd + 1e-5)" : "to the length sqrt(d)");
    return saei_import_settle_scale(import, 1, err);
}
