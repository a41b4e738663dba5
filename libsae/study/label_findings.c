/* What labels of a reference dump say of the candidates, once these are ranked. */
#include "apply/describe.h"
#include "base/memory.h"
#include "model/model.h"
#include "study/findings.h"

sae_status saei_find_labels(sae_findings *findings, sae_error *err)
{
    const sae_study *study = findings->study;
    sae_context *context = findings->context;
    size_t n = saei_findings_n(findings), F = sae_model_latents(findings->model);
    if (study->reference == NULL || n == 0)
        return SAE_OK;
    uint32_t *place = NULL;
    double *weight = NULL;
    sae_status status =
        saei_alloc(&findings->label, context, saei_mul(study->n_labels, n), sizeof *findings->label, err);
    if (status == SAE_OK)
        status = saei_alloc(&place, context, F, sizeof *place, err);
    if (status == SAE_OK)
        status = saei_alloc(&weight, context, F, sizeof *weight, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        sae_cluster cluster = saei_candidates_at(findings->candidates, i);
        for (size_t m = 0; m < cluster.n; m++) {
            place[cluster.latents[m]] = (uint32_t)i + 1;
            weight[cluster.latents[m]] = cluster.weights[m];
        }
    }
    if (status == SAE_OK)
        status = saei_describe(findings->label, findings->model, study->reference, study->labels,
                               study->n_labels, &(saei_places){n, place, weight}, findings->options.progress,
                               findings->options.progress_user, err);
    saei_free(context, weight);
    saei_free(context, place);
    return status;
}
