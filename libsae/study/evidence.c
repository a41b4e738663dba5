/* What each condition says of each candidate. */
#include "base/error.h"
#include "base/memory.h"
#include "diff/contrast.h"
#include "diff/decomposition.h"
#include "diff/multiplicity.h"
#include "diff/profile_select.h"
#include "diff/ranking.h"
#include "study/compared.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const saei_profile *profile_of(const saei_compared *c, size_t condition)
{
    return c->findings->readings->of[condition].profile;
}

static sae_status rank(const saei_compared *c, const saei_profile *control, sae_error *err)
{
    sae_findings *findings = c->findings;
    const sae_study_options *options = &findings->options;
    saei_ranking_input input = {.before = profile_of(c, c->base),
                                .after = profile_of(c, c->condition),
                                .control = control,
                                .paired = saei_readings_paired(findings->readings, c->condition, c->base),
                                .control_paired = c->paired};
    sae_rank_options how;
    sae_rank_options_init(&how);
    how.permutations = options->permutations;
    how.bootstrap = options->bootstrap;
    how.confidence = options->confidence;
    how.seed = options->seed;
    how.progress = options->progress;
    how.progress_user = options->progress_user;
    sae_ranking *ranking;
    sae_status status = saei_ranking_compute(&ranking, findings->context, &input, &how, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < saei_findings_n(findings); i++)
        saei_findings_evidence(findings, i, c->condition)->ranked =
            *sae_ranking_latent(ranking, findings->leads[i]);
    const sae_condition *condition = &findings->study->conditions[c->condition];
    if (options->each_ranking != NULL &&
        options->each_ranking(options->ranking_user, condition, ranking) != 0)
        status = saei_fail(err, SAE_STOPPED, "stopped after the ranking of %.60s", condition->name);
    sae_ranking_free(ranking);
    return status;
}

/* contrasts [n]: the candidates in the condition against one other. */
static sae_status contrast(sae_contrast *contrasts, const saei_compared *c, size_t other, sae_error *err)
{
    const sae_findings *findings = c->findings;
    const sae_study_options *options = &findings->options;
    saei_effects *effects;
    sae_status status = saei_effects_new(&effects, findings->small[c->condition], findings->small[other],
                                         saei_readings_paired(findings->readings, c->condition, other), err);
    if (status != SAE_OK)
        return status;
    sae_rank_options how;
    sae_rank_options_init(&how);
    how.permutations = options->permutations;
    status = saei_rank_options_read(&how, &how, findings->candidates->n_latents, err);
    saei_contrast_options contrast = {.permutations = how.permutations,
                                      .bootstrap = options->bootstrap,
                                      .confidence = options->confidence,
                                      .seed = options->seed};
    if (status == SAE_OK)
        status = saei_contrast_all(contrasts, effects, &contrast, err);
    saei_effects_free(effects);
    return status;
}

/* Rising beyond all controls is the union of as many null hypotheses: its p is the largest (Berger 1982). */
static void keep_worst(const saei_compared *c, const sae_contrast *contrasts, size_t other, bool first)
{
    for (size_t i = 0; i < saei_findings_n(c->findings); i++) {
        sae_evidence *evidence = saei_findings_evidence(c->findings, i, c->condition);
        double p = contrasts[i].estimate > 0 ? contrasts[i].p : 1;
        evidence->p_beyond = first ? p : fmax(evidence->p_beyond, p);
        if (!first && !(contrasts[i].estimate < evidence->beyond.estimate))
            continue;
        evidence->beyond = contrasts[i];
        evidence->beyond_control = other;
    }
}

static sae_status fill_q(const saei_compared *c, sae_error *err)
{
    sae_findings *findings = c->findings;
    size_t n = saei_findings_n(findings);
    double *p;
    sae_status status = saei_alloc(&p, findings->context, saei_mul(2, n), sizeof *p, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        p[i] = saei_findings_evidence(findings, i, c->condition)->p_beyond;
    if (status == SAE_OK)
        status =
            saei_false_discovery_among(p + n, p, n, findings->candidates->n_latents, findings->context, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        saei_findings_evidence(findings, i, c->condition)->q_beyond = p[n + i];
    saei_free(findings->context, p);
    return status;
}

static sae_status exceed_controls(const saei_compared *c, sae_error *err)
{
    sae_findings *findings = c->findings;
    sae_contrast *contrasts;
    sae_status status =
        saei_alloc(&contrasts, findings->context, saei_findings_n(findings), sizeof *contrasts, err);
    bool first = true;
    for (size_t other = 0; status == SAE_OK && other < findings->study->n_conditions; other++) {
        if (c->n_controls > 0 ? !c->is_control[other] : other != c->base)
            continue;
        status = contrast(contrasts, c, other, err);
        if (status == SAE_OK)
            keep_worst(c, contrasts, other, first);
        first = false;
    }
    saei_free(findings->context, contrasts);
    return status == SAE_OK ? fill_q(c, err) : status;
}

static sae_status decompose(const saei_compared *c, const saei_profile *control, sae_error *err)
{
    sae_findings *findings = c->findings;
    size_t n = saei_findings_n(findings);
    sae_decomposition *parts;
    saei_profile *small = NULL;
    sae_status status = saei_alloc(&parts, findings->context, n, sizeof *parts, err);
    if (status == SAE_OK && control != NULL)
        status = saei_profile_select(&small, control, findings->leads, n, NULL, 0, err);
    if (status == SAE_OK)
        status = saei_decompose(parts, small != NULL ? small : findings->small[c->base],
                                findings->small[c->condition], c->paired, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        saei_findings_evidence(findings, i, c->condition)->parts = parts[i];
    saei_profile_free(small);
    saei_free(findings->context, parts);
    return status;
}

static sae_status gate(const saei_compared *c, sae_error *err)
{
    sae_findings *findings = c->findings;
    size_t n = findings->study->n_conditions, k = 0;
    sae_fidelity *fidelity;
    const char **names = NULL;
    sae_status status = saei_alloc(&fidelity, findings->context, n + 2, sizeof *fidelity, err);
    if (status == SAE_OK)
        status = saei_alloc(&names, findings->context, n + 2, sizeof *names, err);
    for (size_t i = 0; status == SAE_OK && i < n + 2; i++) {
        size_t which = i == 0 ? c->base : i == 1 ? c->condition : i - 2;
        if (i >= 2 && !c->is_control[which])
            continue;
        fidelity[k] = findings->readings->of[which].fidelity;
        names[k++] = findings->study->conditions[which].name;
    }
    size_t against = 0;
    while (c->n_controls > 0 && !c->is_control[against])
        against++;
    if (c->n_controls == 0)
        against = c->base;
    if (status == SAE_OK && !saei_gate_fidelity(findings->warning[c->condition], fidelity, names, k))
        saei_gate_prompts(findings->warning[c->condition], c->paired, profile_of(c, c->condition)->n_prompts,
                          profile_of(c, against)->n_prompts);
    saei_free(findings->context, names);
    saei_free(findings->context, fidelity);
    return status;
}

static sae_status compare(saei_compared *c, sae_error *err)
{
    sae_findings *findings = c->findings;
    const saei_readings *readings = findings->readings;
    c->n_controls = saei_study_controls(c->is_control, findings->study, c->condition);
    c->paired = c->n_controls > 0 ? saei_readings_paired_all(readings, c->condition, c->is_control)
                                  : saei_readings_paired(readings, c->condition, c->base);
    saei_profile *control = NULL;
    sae_status status = SAE_OK;
    if (c->n_controls > 0)
        status = saei_readings_mean(&control, readings, c->is_control, err);
    if (status == SAE_OK)
        status = rank(c, control, err);
    if (status == SAE_OK)
        status = exceed_controls(c, err);
    if (status == SAE_OK)
        status = saei_explain_shift(c, err);
    if (status == SAE_OK)
        status = decompose(c, control, err);
    if (status == SAE_OK)
        status = gate(c, err);
    saei_profile_free(control);
    return status;
}

sae_status saei_find_evidence(sae_findings *findings, sae_error *err)
{
    size_t n = findings->study->n_conditions;
    sae_context *context = findings->context;
    saei_compared c = {.findings = findings, .base = saei_study_base(findings->study)};
    sae_status status = saei_alloc(&findings->evidence, context, saei_mul(saei_findings_n(findings), n),
                                   sizeof *findings->evidence, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->shift, context, n, sizeof *findings->shift, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->warning, context, n, sizeof *findings->warning, err);
    if (status == SAE_OK)
        status = saei_alloc(&c.is_control, context, n, 1, err);
    for (c.condition = 0; status == SAE_OK && c.condition < n; c.condition++)
        if (c.condition != c.base)
            status = compare(&c, err);
    saei_free(context, c.is_control);
    return status;
}
