/* The inside of the findings of a study, and the steps that fill them. */
#ifndef SAEI_FINDINGS_H
#define SAEI_FINDINGS_H

#include "diff/gate.h"
#include "study/candidates.h"

/* The conditions with doses, ascending, against the controls of the lowest dose. */
typedef struct saei_dose_series {
    size_t n;          /* 0: no series */
    size_t *condition; /* [n] */
    double control_dose;
    size_t first_control; /* condition; its behaviour is that of the controls */
    size_t n_controls;
    bool *is_control; /* [conditions] */
} saei_dose_series;

struct sae_findings {
    sae_context *context;
    const sae_study *study;
    const sae_model *model;
    sae_study_options options;
    saei_readings *readings;
    saei_candidates *candidates;
    uint32_t *leads;                     /* [n] */
    saei_profile **small;                /* [conditions] the leads alone, as latents 0 .. n - 1 */
    sae_candidate *candidate;            /* [n] */
    sae_evidence *evidence;              /* [n, conditions] */
    sae_judgement *judgement;            /* [n] */
    sae_shift_summary *shift;            /* [conditions] */
    char (*warning)[SAEI_WARNING_BYTES]; /* [conditions] */

    size_t n_bad, *bad;       /* [n_bad] conditions */
    sae_agreement *agreement; /* [n_bad] */
    sae_ranker_place *place;  /* [n_bad, SAE_RANKERS, n]; rank 0: not computed */

    saei_dose_series doses;
    sae_behaviour behaviour;
    sae_dose_response *dose_response; /* [n] */
    sae_series_point *dose_point;     /* [n, doses.n] */

    sae_trigger_matching *matching;     /* [triggers] */
    sae_trigger_response *trigger;      /* [triggers, n] */
    sae_trajectory *trajectory;         /* [trajectories, n] */
    sae_series_point **step;            /* [trajectories] [n, steps] */
    sae_discrimination *discrimination; /* [n]; NULL: too few models */
    sae_auroc_result *label;            /* [labels, n]; NULL: no reference */
    sae_match *match;                   /* [others, n] */
    double *match_null; /* [others] cosine that unrelated directions reach once in a hundred */
};

static inline size_t saei_findings_n(const sae_findings *findings)
{
    return saei_candidates_count(findings->candidates);
}

static inline sae_evidence *saei_findings_evidence(const sae_findings *findings, size_t i, size_t condition)
{
    return &findings->evidence[i * findings->study->n_conditions + condition];
}

/* Steps in this order; each allocates what it fills. */
sae_status saei_find_evidence(sae_findings *findings, sae_error *err);
sae_status saei_find_rankers(sae_findings *findings, sae_error *err);
sae_status saei_find_doses(sae_findings *findings, sae_error *err);
sae_status saei_find_triggers(sae_findings *findings, sae_error *err);
sae_status saei_find_trajectories(sae_findings *findings, sae_error *err);
sae_status saei_find_labels(sae_findings *findings, sae_error *err);
void saei_judge(sae_findings *findings);

#endif
