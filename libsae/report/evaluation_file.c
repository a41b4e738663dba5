/* Statistics of every latent on the rows of a dump: docs/FORMATS.md, "Statistics of latents". */
#include "base/memory.h"
#include "model/model.h"
#include "report/report_sink.h"
#include "sae/report.h"

#include <stddef.h>

enum { LATENT_ARRAYS = 3 };

typedef struct figure {
    const char *name;
    size_t offset; /* of a double in sae_evaluation */
} figure;

/* clang-format off */
#define FIT(name) {#name, offsetof(sae_evaluation, fidelity.name)}
#define VARIANT(name) {#name, offsetof(sae_evaluation, variants.name)}
/* clang-format on */

static const figure figures[] = {
    FIT(fvu),
    FIT(explained_variance),
    FIT(l0),
    FIT(dead),
    FIT(cosine),
    VARIANT(saelens_legacy),
    VARIANT(dictionary_learning),
    VARIANT(sparsify_fvu),
    VARIANT(openai_nmse),
    VARIANT(l1),
    VARIANT(l2_ratio),
    VARIANT(relative_reconstruction_bias),
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static sae_status write_arrays(saei_array_sink *sink, const sae_evaluation *evaluation, const uint64_t *fires,
                               const double *density, const double *cosine, size_t n_latents, sae_error *err)
{
    const saei_report_array of_latents[LATENT_ARRAYS] = {{"fires", SAEI_U64, n_latents, fires},
                                                         {"density", SAEI_F64, n_latents, density},
                                                         {"largest_cosine", SAEI_F64, n_latents, cosine}};
    saei_report_array arrays[FIGURES + 1 + LATENT_ARRAYS] = {
        {"rows", SAEI_U64, 1, &evaluation->fidelity.rows}};
    size_t n = 1;
    for (size_t i = 0; i < FIGURES; i++)
        arrays[n++] =
            (saei_report_array){figures[i].name, SAEI_F64, 1, (const char *)evaluation + figures[i].offset};
    for (size_t i = 0; i < LATENT_ARRAYS; i++)
        if (of_latents[i].values != NULL)
            arrays[n++] = of_latents[i];
    return saei_report_arrays(sink, arrays, n, err);
}

sae_status sae_evaluation_save(const sae_evaluation *evaluation, const uint64_t *fires,
                               const double *largest_cosines, const sae_model *model, const char *path,
                               bool overwrite, sae_error *err)
{
    const size_t F = sae_model_latents(model);
    saei_array_sink *sink = NULL;
    double *density;
    sae_status status = saei_alloc(&density, model->context, F, sizeof *density, err);
    for (size_t j = 0; j < F && status == SAE_OK; j++)
        density[j] = (double)fires[j] / (double)evaluation->fidelity.rows;
    if (status == SAE_OK)
        status = saei_report_sink_open(&sink, model->context, path, overwrite, err);
    if (status == SAE_OK)
        status = saei_array_sink_text(sink, "format", "libsae-statistics", err);
    if (status == SAE_OK)
        status = write_arrays(sink, evaluation, fires, density, largest_cosines, F, err);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&sink, err);
    saei_array_sink_discard(sink);
    saei_free(model->context, density);
    return status;
}
