/* Models in the layouts of other tools. */
#include "model/export.h"
#include "base/error.h"
#include "sae/convert.h"

static const struct {
    const char *name;
    saei_export_fn write;
    bool row_norms; /* the layout says how rows are normalised */
} formats[] = {
    [SAE_MODEL_LIBSAE] = {"libsae", sae_model_save, true},
    [SAE_MODEL_SAELENS] = {"saelens", saei_export_saelens, true},
    [SAE_MODEL_DICTIONARY_LEARNING] = {"dictionary_learning", saei_export_dictionary_learning, false},
    [SAE_MODEL_SPARSIFY] = {"sparsify", saei_export_sparsify, false},
    [SAE_MODEL_NPZ] = {"npz", saei_export_npz, false},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *sae_model_format_name(sae_model_format format)
{
    return (size_t)format < FORMATS ? formats[format].name : NULL;
}

sae_status sae_model_export(const sae_model *model, const char *path, sae_model_format format, bool overwrite,
                            sae_error *err)
{
    if ((size_t)format >= FORMATS)
        return saei_fail(err, SAE_E_ARGUMENT, "%d is no format of models", (int)format);
    if (model->row_norm != SAE_NO_ROW_NORM && !formats[format].row_norms)
        return saei_fail(
            err, SAE_E_UNSUPPORTED,
            "%s: the model normalises each row by itself (%s), and %s has no place to say so: libsae and "
            "saelens hold it",
            path, sae_row_norm_name(model->row_norm), formats[format].name);
    return formats[format].write(model, path, overwrite, err);
}
