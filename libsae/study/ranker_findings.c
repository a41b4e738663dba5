/* The candidates as other rankers see them, and how far the rankers agree on all latents. */
#include "base/memory.h"
#include "diff/agreement.h"
#include "study/findings.h"

/* One bad condition as the rankers take it; controls are borrowed in an array of its own. */
typedef struct ranker_side {
    saei_ranker_input input;
    saei_profile **controls;
    saei_profile *control;
    bool *is_control;
} ranker_side;

static void release_side(ranker_side *side, sae_context *context)
{
    saei_profile_free(side->control);
    saei_free(context, side->is_control);
    saei_free(context, side->controls);
}

static sae_status fill_side(ranker_side *side, const sae_findings *findings, size_t condition, sae_error *err)
{
    const saei_readings *readings = findings->readings;
    size_t base = saei_study_base(findings->study);
    *side = (ranker_side){0};
    sae_status status =
        saei_alloc(&side->controls, findings->context, readings->n, sizeof *side->controls, err);
    if (status == SAE_OK)
        status = saei_alloc(&side->is_control, findings->context, readings->n, 1, err);
    if (status != SAE_OK)
        return status;
    saei_ranker_input *input = &side->input;
    *input = (saei_ranker_input){.model = findings->model,
                                 .before = readings->of[base].profile,
                                 .after = readings->of[condition].profile,
                                 .controls = side->controls,
                                 .paired = saei_readings_paired(readings, condition, base),
                                 .residual_before = saei_residual_mean_get(readings->of[base].mean),
                                 .residual_after = saei_residual_mean_get(readings->of[condition].mean)};
    saei_study_controls(side->is_control, findings->study, condition);
    for (size_t i = 0; i < readings->n; i++)
        if (side->is_control[i])
            side->controls[input->n_controls++] = readings->of[i].profile;
    input->control_paired = saei_readings_paired_all(readings, condition, side->is_control);
    if (input->n_controls == 0)
        return SAE_OK;
    status = saei_readings_mean(&side->control, readings, side->is_control, err);
    input->control = side->control;
    return status;
}

static sae_status score(saei_ranker_scores **out, const sae_findings *findings, size_t condition,
                        sae_error *err)
{
    ranker_side side;
    sae_status status = fill_side(&side, findings, condition, err);
    if (status == SAE_OK)
        status = saei_ranker_scores_new(out, &side.input, err);
    release_side(&side, findings->context);
    return status;
}

/* Ties share the better place. A score that is NaN has none. */
static sae_ranker_place place_of(const double *scores, size_t n, uint32_t latent)
{
    sae_ranker_place place = {scores[latent], 0};
    for (size_t j = 0; j < n; j++)
        place.rank += scores[j] > place.score;
    if (place.score == place.score)
        place.rank++;
    return place;
}

static void keep_places(sae_findings *findings, size_t b, const saei_ranker_scores *scores)
{
    size_t n = saei_findings_n(findings);
    for (unsigned r = 0; r < SAE_RANKERS; r++)
        for (size_t i = 0; scores->score[r] != NULL && i < n; i++)
            findings->place[(b * SAE_RANKERS + r) * n + i] =
                place_of(scores->score[r], scores->n_latents, findings->leads[i]);
}

static sae_status compare_rankers(sae_findings *findings, saei_ranker_scores **scores, sae_error *err)
{
    const sae_study *study = findings->study;
    size_t n = 0;
    sae_status status = SAE_OK;
    for (size_t c = 0; status == SAE_OK && c < study->n_conditions; c++)
        if (study->conditions[c].role == SAE_ROLE_BAD) {
            findings->bad[n] = c;
            status = score(&scores[n++], findings, c, err);
        }
    bool has_control = scores[0] != NULL && scores[0]->score[SAE_RANKER_EXCESS_WORST] != NULL;
    if (status == SAE_OK)
        status =
            saei_ranker_scores_over(scores, n, has_control ? SAE_RANKER_EXCESS_WORST : SAE_RANKER_DELTA, err);
    for (size_t b = 0; status == SAE_OK && b < n; b++) {
        keep_places(findings, b, scores[b]);
        status = saei_agreement_compute(&findings->agreement[b], scores[b], SAE_RISING, err);
    }
    return status;
}

sae_status saei_find_rankers(sae_findings *findings, sae_error *err)
{
    const sae_study *study = findings->study;
    sae_context *context = findings->context;
    size_t n_bad = 0;
    for (size_t c = 0; c < study->n_conditions; c++)
        n_bad += study->conditions[c].role == SAE_ROLE_BAD;
    findings->n_bad = n_bad;
    saei_ranker_scores **scores;
    sae_status status = saei_alloc(&scores, context, n_bad, sizeof *scores, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->bad, context, n_bad, sizeof *findings->bad, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->agreement, context, n_bad, sizeof *findings->agreement, err);
    if (status == SAE_OK)
        status =
            saei_alloc(&findings->place, context, saei_mul(n_bad * SAE_RANKERS, saei_findings_n(findings)),
                       sizeof *findings->place, err);
    if (status == SAE_OK)
        status = compare_rankers(findings, scores, err);
    for (size_t b = 0; scores != NULL && b < n_bad; b++)
        saei_ranker_scores_free(scores[b]);
    saei_free(context, scores);
    return status;
}
