/* The verdict of a study for programs. */
#include "base/error.h"
#include "report/study_tables.h"
#include "report/verdict_page.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *latents_of(const sae_candidate *candidate)
{
    json_t *list = json_array();
    for (size_t m = 0; m < candidate->n_latents; m++)
        json_array_append_new(list, json_integer(candidate->latents[m]));
    return list;
}

static json_t *criteria_of(const sae_judgement *judgement)
{
    static const char *const names[] = {"unknown", "for", "against"};
    json_t *object = json_object();
    for (unsigned k = 0; k < SAE_CRITERIA; k++)
        json_object_set_new(object, sae_criterion_name((sae_criterion)k),
                            json_string(names[judgement->finding[k]]));
    return object;
}

static json_t *conditions_of(const sae_findings *findings, size_t i)
{
    json_t *list = json_array();
    for (size_t c = 0; c < findings->study->n_conditions; c++) {
        if (c == saei_study_base(findings->study))
            continue;
        const sae_evidence *e = saei_findings_evidence(findings, i, c);
        const sae_contrast *excess = isnan(e->ranked.excess.estimate) ? &e->ranked.delta : &e->ranked.excess;
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "condition",
                            findings->study->conditions[c].name, "rank", (json_int_t)e->ranked.rank, "mean",
                            number(e->ranked.mean_after), "delta", number(e->ranked.delta.estimate), "excess",
                            number(excess->estimate), "least_exceeded",
                            findings->study->conditions[e->beyond_control].name, "beyond",
                            number(e->beyond.estimate), "q", number(e->q_beyond), "p_family",
                            number(excess->p_family), "heldout_p", number(e->ranked.heldout_p), "share",
                            number(e->shift.share), "cosine", number(e->shift.cosine), "p_direction",
                            number(e->p_direction)));
    }
    return list;
}

static json_t *labels_of(const sae_findings *findings, size_t i)
{
    json_t *object = json_object();
    for (size_t l = 0; findings->label != NULL && l < findings->study->n_labels; l++)
        json_object_set_new(object, findings->study->labels[l].name,
                            number(findings->label[l * saei_findings_n(findings) + i].auroc));
    return object;
}

static json_t *candidate_json(const sae_findings *findings, size_t i)
{
    const sae_candidate *candidate = &findings->candidate[i];
    const sae_dose_response *dose = sae_findings_dose_response(findings, i);
    const char *reading = saei_candidate_reading(findings, i);
    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "latents", latents_of(candidate),
                     "score", number(candidate->score), "carries", (int)findings->judgement[i].carries,
                     "criteria", criteria_of(&findings->judgement[i]), "labels", labels_of(findings, i),
                     "reads_as", reading != NULL ? json_string(reading) : json_null(), "dose_onset",
                     number(dose != NULL ? dose->onset : (double)NAN), "lead_ratio",
                     number(dose != NULL ? dose->lead_ratio : (double)NAN), "conditions",
                     conditions_of(findings, i));
}

sae_status saei_verdict_json(saei_atomic_file *file, const sae_findings *findings, sae_error *err)
{
    json_t *candidates = json_array(), *warnings = json_object();
    for (size_t i = 0; i < saei_findings_n(findings); i++)
        json_array_append_new(candidates, candidate_json(findings, i));
    for (size_t c = 0; c < findings->study->n_conditions; c++)
        if (findings->warning[c][0] != '\0')
            json_object_set_new(warnings, findings->study->conditions[c].name,
                                json_string(findings->warning[c]));
    size_t carrier = sae_findings_carrier(findings);
    json_t *root = json_pack(
        "{s:s, s:s, s:o, s:o, s:o}", "format", "libsae-verdict 1", "title", findings->study->title, "carrier",
        carrier != SIZE_MAX ? json_integer((json_int_t)findings->leads[carrier]) : json_null(), "warnings",
        warnings, "candidates", candidates);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    if (text == NULL)
        return saei_fail(err, SAE_E_MEMORY, "the verdict could not be built");
    sae_status status = saei_atomic_file_write(file, text, strlen(text), err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, "\n", 1, err);
    free(text);
    return status;
}
