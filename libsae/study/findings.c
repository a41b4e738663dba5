#include "study/findings.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "diff/discrimination.h"
#include "diff/profile_select.h"
#include "model/model.h"

#include <math.h>
#include <string.h>

void sae_study_options_init(sae_study_options *options)
{
    *options = (sae_study_options){.size = sizeof *options,
                                   .candidates = 30,
                                   .alpha = 0.05,
                                   .confidence = 0.95,
                                   .bootstrap = 2000,
                                   .least_share = 0.05};
}

static sae_status read_options(sae_study_options *options, const sae_study_options *given,
                               const sae_model *model, sae_error *err)
{
    sae_study_options_init(options);
    sae_status status = saei_options_read(options, sizeof *options, given, err);
    if (status != SAE_OK)
        return status;
    if (options->candidates == 0 || options->candidates > 1000)
        return saei_fail(err, SAE_E_ARGUMENT, "candidates %zu: must be 1 to 1000", options->candidates);
    if (!(options->alpha > 0 && options->alpha < 1) || !(options->confidence > 0 && options->confidence < 1))
        return saei_fail(err, SAE_E_ARGUMENT, "alpha %g, confidence %g: must lie between 0 and 1",
                         options->alpha, options->confidence);
    if (!(options->least_share >= 0 && options->least_share <= 1))
        return saei_fail(err, SAE_E_ARGUMENT, "least_share %g: must lie in 0 … 1", options->least_share);
    for (size_t i = 0; i < options->n_others; i++)
        if (sae_model_dim(options->others[i]) != sae_model_dim(model))
            return saei_fail(err, SAE_E_MISMATCH, "another model takes rows of %zu numbers, this one of %zu",
                             sae_model_dim(options->others[i]), sae_model_dim(model));
    return SAE_OK;
}

void sae_findings_free(sae_findings *findings)
{
    if (findings == NULL)
        return;
    sae_context *context = findings->context;
    size_t n = findings->study->n_conditions;
    for (size_t c = 0; findings->small != NULL && c < n; c++)
        saei_profile_free(findings->small[c]);
    for (size_t t = 0; findings->step != NULL && t < findings->study->n_trajectories; t++)
        saei_free(context, findings->step[t]);
    void *blocks[] = {findings->bad,
                      findings->agreement,
                      findings->place,
                      findings->small,
                      findings->leads,
                      findings->candidate,
                      findings->evidence,
                      findings->judgement,
                      findings->shift,
                      findings->warning,
                      findings->matching,
                      findings->doses.condition,
                      findings->doses.is_control,
                      findings->dose_response,
                      findings->dose_point,
                      findings->trigger,
                      findings->trajectory,
                      findings->step,
                      findings->discrimination,
                      findings->label,
                      findings->match,
                      findings->match_null};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        saei_free(context, blocks[i]);
    saei_candidates_free(findings->candidates);
    saei_readings_free(findings->readings);
    saei_free(context, findings);
}

static sae_status fill_candidates(sae_findings *findings, sae_error *err)
{
    size_t n = saei_findings_n(findings);
    sae_status status =
        saei_alloc(&findings->candidate, findings->context, n, sizeof *findings->candidate, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->leads, findings->context, n, sizeof *findings->leads, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->judgement, findings->context, n, sizeof *findings->judgement, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++) {
        sae_cluster cluster = saei_candidates_at(findings->candidates, i);
        findings->leads[i] = cluster.latents[0];
        findings->candidate[i] = (sae_candidate){.latents = cluster.latents,
                                                 .n_latents = cluster.n,
                                                 .cosine = cluster.cosine,
                                                 .correlation = cluster.correlation,
                                                 .score = findings->candidates->score[i]};
    }
    return status;
}

static sae_status select_small(sae_findings *findings, sae_error *err)
{
    size_t n = findings->study->n_conditions;
    sae_status status = saei_alloc(&findings->small, findings->context, n, sizeof *findings->small, err);
    for (size_t c = 0; status == SAE_OK && c < n; c++)
        status = saei_profile_select(&findings->small[c], findings->readings->of[c].profile, findings->leads,
                                     saei_findings_n(findings), NULL, 0, err);
    return status;
}

/* Matches come in the order of the clusters, and are kept in that of the candidates. */
static sae_status match_other(sae_findings *findings, size_t k, sae_match *by_cluster, sae_error *err)
{
    const sae_study_options *options = &findings->options;
    const saei_candidates *candidates = findings->candidates;
    size_t n = saei_findings_n(findings);
    sae_status status =
        sae_clusters_match(by_cluster, candidates->clusters, findings->model, options->others[k],
                           options->progress, options->progress_user, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        findings->match[k * n + i] = by_cluster[candidates->order[i]];
    if (status == SAE_OK)
        status = sae_model_match_null(&findings->match_null[k], findings->model, options->others[k], 0.99,
                                      options->seed, options->progress, options->progress_user, err);
    return status;
}

static sae_status match_others(sae_findings *findings, sae_error *err)
{
    sae_context *context = findings->context;
    size_t n = saei_findings_n(findings), others = findings->options.n_others;
    sae_match *by_cluster;
    sae_status status = saei_alloc(&by_cluster, context, n, sizeof *by_cluster, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->match, context, saei_mul(others, n), sizeof *findings->match, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->match_null, context, others, sizeof *findings->match_null, err);
    for (size_t k = 0; status == SAE_OK && k < others; k++)
        status = match_other(findings, k, by_cluster, err);
    saei_free(context, by_cluster);
    return status;
}

/* Models are bad or not; the base counts as good. */
static sae_status discriminate(sae_findings *findings, const saei_models *models, sae_error *err)
{
    size_t n = saei_findings_n(findings);
    sae_status status =
        saei_alloc(&findings->discrimination, findings->context, n, sizeof *findings->discrimination, err);
    if (status == SAE_OK)
        status = saei_discriminate(findings->discrimination, findings->leads, n, models, err);
    return status;
}

/* Domains as numbers: the index of the first condition of the same domain. */
static double domain_of(const sae_study *study, size_t condition)
{
    const char *domain = study->conditions[condition].domain;
    size_t i = 0;
    if (domain == NULL)
        return (double)NAN;
    while (study->conditions[i].domain == NULL || strcmp(study->conditions[i].domain, domain) != 0)
        i++;
    return (double)i;
}

static sae_status find_discrimination(sae_findings *findings, sae_error *err)
{
    const sae_study *study = findings->study;
    sae_context *context = findings->context;
    size_t n_bad = 0, n = 0;
    const saei_profile **profiles = NULL;
    bool *bad = NULL;
    double *domain = NULL;
    sae_status status = saei_alloc(&profiles, context, study->n_conditions, sizeof *profiles, err);
    if (status == SAE_OK)
        status = saei_alloc(&bad, context, study->n_conditions, 1, err);
    if (status == SAE_OK)
        status = saei_alloc(&domain, context, study->n_conditions, sizeof *domain, err);
    for (size_t i = 0; status == SAE_OK && i < study->n_conditions; i++) {
        if (study->conditions[i].role == SAE_ROLE_PROBE)
            continue;
        bad[n] = study->conditions[i].role == SAE_ROLE_BAD;
        n_bad += bad[n];
        domain[n] = domain_of(study, i);
        profiles[n++] = findings->readings->of[i].profile;
    }
    if (status == SAE_OK && saei_findings_n(findings) > 0 && n_bad >= 2 && n - n_bad >= 2)
        status = discriminate(
            findings, &(saei_models){.profiles = profiles, .bad = bad, .domain = domain, .n = n}, err);
    saei_free(context, domain);
    saei_free(context, bad);
    saei_free(context, profiles);
    return status;
}

static sae_status find(sae_findings *findings, sae_error *err)
{
    const sae_study_options *options = &findings->options;
    sae_status status = saei_readings_new(&findings->readings, findings->study, findings->model,
                                          options->progress, options->progress_user, err);
    if (status == SAE_OK)
        status = saei_candidates_new(&findings->candidates, findings->readings, findings->model,
                                     options->candidates, err);
    if (status == SAE_OK)
        status = fill_candidates(findings, err);
    if (status == SAE_OK)
        status = select_small(findings, err);
    if (status == SAE_OK)
        status = saei_find_evidence(findings, err);
    if (status == SAE_OK)
        status = saei_find_rankers(findings, err);
    if (status == SAE_OK)
        status = saei_find_doses(findings, err);
    if (status == SAE_OK)
        status = saei_find_triggers(findings, err);
    if (status == SAE_OK)
        status = saei_find_trajectories(findings, err);
    if (status == SAE_OK)
        status = find_discrimination(findings, err);
    if (status == SAE_OK)
        status = saei_find_labels(findings, err);
    if (status == SAE_OK)
        status = match_others(findings, err);
    if (status == SAE_OK)
        saei_judge(findings);
    return status;
}

sae_status sae_findings_new(sae_findings **out, const sae_study *study, const sae_model *model,
                            const sae_study_options *options, sae_error *err)
{
    *out = NULL;
    sae_findings *findings;
    sae_study_options how;
    sae_status status = read_options(&how, options, model, err);
    if (status == SAE_OK)
        status = saei_study_check(study, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings, model->context, 1, sizeof *findings, err);
    if (status != SAE_OK)
        return status;
    *findings = (sae_findings){.context = model->context, .study = study, .model = model, .options = how};
    status = find(findings, err);
    if (status != SAE_OK) {
        sae_findings_free(findings);
        return status;
    }
    *out = findings;
    return SAE_OK;
}

size_t sae_findings_candidates(const sae_findings *findings)
{
    return saei_findings_n(findings);
}

const sae_candidate *sae_findings_candidate(const sae_findings *findings, size_t i)
{
    return i < saei_findings_n(findings) ? &findings->candidate[i] : NULL;
}

const sae_evidence *sae_findings_evidence(const sae_findings *findings, size_t i, size_t condition)
{
    if (i >= saei_findings_n(findings) || condition >= findings->study->n_conditions ||
        condition == saei_study_base(findings->study))
        return NULL;
    return saei_findings_evidence(findings, i, condition);
}

const sae_judgement *sae_findings_judgement(const sae_findings *findings, size_t i)
{
    return i < saei_findings_n(findings) ? &findings->judgement[i] : NULL;
}

size_t sae_findings_carrier(const sae_findings *findings)
{
    for (size_t i = 0; i < saei_findings_n(findings); i++)
        if (findings->judgement[i].carries)
            return i;
    return SIZE_MAX;
}

sae_fidelity sae_findings_fidelity(const sae_findings *findings, size_t condition)
{
    return condition < findings->study->n_conditions ? findings->readings->of[condition].fidelity
                                                     : (sae_fidelity){0};
}

const char *sae_findings_warning(const sae_findings *findings, size_t condition)
{
    return condition < findings->study->n_conditions && findings->warning[condition][0] != '\0'
               ? findings->warning[condition]
               : NULL;
}

const sae_shift_summary *sae_findings_shift(const sae_findings *findings, size_t condition)
{
    return condition < findings->study->n_conditions && condition != saei_study_base(findings->study)
               ? &findings->shift[condition]
               : NULL;
}

static size_t bad_index(const sae_findings *findings, size_t condition)
{
    size_t b = 0;
    while (b < findings->n_bad && findings->bad[b] != condition)
        b++;
    return b;
}

const sae_ranker_place *sae_findings_ranker(const sae_findings *findings, size_t condition, sae_ranker ranker,
                                            size_t i)
{
    size_t b = bad_index(findings, condition), n = saei_findings_n(findings);
    if (b == findings->n_bad || (unsigned)ranker >= SAE_RANKERS || i >= n)
        return NULL;
    const sae_ranker_place *place = &findings->place[(b * SAE_RANKERS + ranker) * n + i];
    return place->rank > 0 ? place : NULL;
}

const sae_agreement *sae_findings_agreement(const sae_findings *findings, size_t condition)
{
    size_t b = bad_index(findings, condition);
    return b < findings->n_bad ? &findings->agreement[b] : NULL;
}

size_t sae_findings_doses(const sae_findings *findings)
{
    return findings->doses.n;
}

size_t sae_findings_dose_condition(const sae_findings *findings, size_t k)
{
    return k < findings->doses.n ? findings->doses.condition[k] : SIZE_MAX;
}

const sae_behaviour *sae_findings_behaviour(const sae_findings *findings)
{
    return findings->dose_response != NULL ? &findings->behaviour : NULL;
}

const sae_dose_response *sae_findings_dose_response(const sae_findings *findings, size_t i)
{
    return findings->dose_response != NULL && i < saei_findings_n(findings) ? &findings->dose_response[i]
                                                                            : NULL;
}

const sae_series_point *sae_findings_dose_point(const sae_findings *findings, size_t i, size_t k)
{
    return findings->dose_point != NULL && i < saei_findings_n(findings) && k < findings->doses.n
               ? &findings->dose_point[i * findings->doses.n + k]
               : NULL;
}

const sae_trigger_response *sae_findings_trigger(const sae_findings *findings, size_t trigger, size_t i)
{
    size_t n = saei_findings_n(findings);
    return trigger < findings->study->n_triggers && i < n ? &findings->trigger[trigger * n + i] : NULL;
}

const sae_trigger_matching *sae_findings_trigger_matching(const sae_findings *findings, size_t trigger)
{
    return trigger < findings->study->n_triggers ? &findings->matching[trigger] : NULL;
}

const sae_trajectory *sae_findings_trajectory(const sae_findings *findings, size_t trajectory, size_t i)
{
    size_t n = saei_findings_n(findings);
    return trajectory < findings->study->n_trajectories && i < n ? &findings->trajectory[trajectory * n + i]
                                                                 : NULL;
}

const sae_series_point *sae_findings_step(const sae_findings *findings, size_t trajectory, size_t i, size_t k)
{
    if (trajectory >= findings->study->n_trajectories || i >= saei_findings_n(findings))
        return NULL;
    size_t steps = findings->study->trajectories[trajectory].n;
    return k < steps ? &findings->step[trajectory][i * steps + k] : NULL;
}

const sae_discrimination *sae_findings_discrimination(const sae_findings *findings, size_t i)
{
    return findings->discrimination != NULL && i < saei_findings_n(findings) ? &findings->discrimination[i]
                                                                             : NULL;
}

const sae_auroc_result *sae_findings_label(const sae_findings *findings, size_t label, size_t i)
{
    size_t n = saei_findings_n(findings);
    return findings->label != NULL && label < findings->study->n_labels && i < n
               ? &findings->label[label * n + i]
               : NULL;
}

const sae_match *sae_findings_match(const sae_findings *findings, size_t other, size_t i)
{
    size_t n = saei_findings_n(findings);
    return other < findings->options.n_others && i < n ? &findings->match[other * n + i] : NULL;
}
