/* What speaks for and against each candidate. */
#include "study/findings.h"

#include <math.h>

static const char *const names[SAE_CRITERIA] = {"beyond", "family",   "heldout",  "direction",
                                                "share",  "fidelity", "controls", "stable"};

const char *sae_criterion_name(sae_criterion criterion)
{
    return (unsigned)criterion < SAE_CRITERIA ? names[criterion] : NULL;
}

bool sae_criterion_required(sae_criterion criterion)
{
    return (unsigned)criterion <= SAE_CRITERION_FIDELITY;
}

typedef bool (*passes_fn)(const sae_findings *findings, size_t i, size_t condition);

static const sae_evidence *evidence_of(const sae_findings *findings, size_t i, size_t condition)
{
    return saei_findings_evidence(findings, i, condition);
}

static bool beyond(const sae_findings *findings, size_t i, size_t condition)
{
    return evidence_of(findings, i, condition)->q_beyond < findings->options.alpha;
}

static bool family(const sae_findings *findings, size_t i, size_t condition)
{
    const sae_latent_stats *stats = &evidence_of(findings, i, condition)->ranked;
    const sae_contrast *rise = isnan(stats->excess.estimate) ? &stats->delta : &stats->excess;
    return rise->estimate > 0 && rise->p_family < findings->options.alpha;
}

static bool heldout(const sae_findings *findings, size_t i, size_t condition)
{
    return evidence_of(findings, i, condition)->ranked.heldout_p < findings->options.alpha;
}

static bool direction(const sae_findings *findings, size_t i, size_t condition)
{
    return evidence_of(findings, i, condition)->p_direction < findings->options.alpha;
}

static bool share(const sae_findings *findings, size_t i, size_t condition)
{
    return evidence_of(findings, i, condition)->shift.share >= findings->options.least_share;
}

static bool fidelity(const sae_findings *findings, size_t i, size_t condition)
{
    (void)i;
    return findings->warning[condition][0] == '\0';
}

/* Half of what the bad conditions raise it by, at the least. */
static bool controls(const sae_findings *findings, size_t i, size_t condition)
{
    const sae_study *study = findings->study;
    double rise = evidence_of(findings, i, condition)->ranked.delta.estimate;
    for (size_t c = 0; c < study->n_conditions; c++)
        if (study->conditions[c].role == SAE_ROLE_CONTROL &&
            !(evidence_of(findings, i, c)->ranked.delta.estimate <= rise / 2))
            return false;
    return true;
}

static sae_finding in_every_bad(const sae_findings *findings, size_t i, passes_fn passes)
{
    const sae_study *study = findings->study;
    for (size_t c = 0; c < study->n_conditions; c++)
        if (study->conditions[c].role == SAE_ROLE_BAD && !passes(findings, i, c))
            return SAE_AGAINST;
    return SAE_FOR;
}

static sae_finding stable(const sae_findings *findings, size_t i)
{
    size_t n = saei_findings_n(findings), others = findings->options.n_others;
    if (others == 0)
        return SAE_UNKNOWN;
    for (size_t k = 0; k < others; k++)
        if (!(findings->match[k * n + i].cosine >= fmax(SAE_MATCH_COSINE, findings->match_null[k])))
            return SAE_AGAINST;
    return SAE_FOR;
}

void saei_judge(sae_findings *findings)
{
    static const passes_fn tests[SAE_CRITERION_STABLE] = {beyond, family,   heldout, direction,
                                                          share,  fidelity, controls};
    for (size_t i = 0; i < saei_findings_n(findings); i++) {
        sae_judgement *judgement = &findings->judgement[i];
        judgement->carries = true;
        for (unsigned k = 0; k < SAE_CRITERIA; k++) {
            judgement->finding[k] =
                k == SAE_CRITERION_STABLE ? stable(findings, i) : in_every_bad(findings, i, tests[k]);
            if (k == SAE_CRITERION_CONTROLS && !saei_study_has_control(findings->study))
                judgement->finding[k] = SAE_UNKNOWN;
            if (sae_criterion_required((sae_criterion)k) && judgement->finding[k] != SAE_FOR)
                judgement->carries = false;
        }
    }
}
