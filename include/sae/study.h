/* A study: many conditions of one model, and what they say together about the latents of a dictionary. */
#ifndef SAE_STUDY_H
#define SAE_STUDY_H

#include "diff.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sae_role {
    SAE_ROLE_BASE,    /* the model before any fine-tuning; exactly one */
    SAE_ROLE_BAD,     /* a fine-tuning that should raise what is looked for: these rank the latents */
    SAE_ROLE_CONTROL, /* one that should not: latents must rise beyond every control */
    SAE_ROLE_PROBE    /* looked at, but without a say in the ranking: doses, triggers, steps */
} sae_role;

/* One model that was run over the prompts. Texts and dump are borrowed until the study is freed. */
typedef struct sae_condition {
    const char *name;     /* unique in the study */
    sae_role role;
    const sae_dump *dump;
    const char *meaning;  /* of a control: what a latent answers to that rises here as well, such as "a bad
                             example was requested"; NULL: nothing to say */
    const char *domain;   /* of the fine-tuning data, for leave-one-domain-out; NULL: unknown */
    double dose;          /* share of bad data, 0 … 1; NaN: not of the dose series */
    double behaviour;     /* measured rate of bad behaviour, 0 … 1; NaN: not measured */
    uint64_t samples;     /* answers that rate was measured on; 0: unknown */
    const char *const *controls; /* [n_controls] names of the controls of a bad condition; n_controls 0: all */
    size_t n_controls;
} sae_condition;

/* A condition without dose, behaviour, meaning, domain; the rest is zero. */
SAE_API void sae_condition_init(sae_condition *condition);

/* The same model with and without a trigger in the prompt; names of conditions. before_with and before_without
   may be NULL: then the contrast is that of the fine-tuned model alone. */
typedef struct sae_study_trigger {
    const char *name, *with, *without, *before_with, *before_without;
} sae_study_trigger;

/* A model along its training: names of conditions and their steps, ascending. */
typedef struct sae_study_trajectory {
    const char *name;
    const char *const *conditions; /* [n] */
    const double *steps;           /* [n] */
    size_t n;
} sae_study_trajectory;

typedef struct sae_study sae_study;

SAE_API sae_status sae_study_new(sae_study **out, sae_context *context, const char *title, sae_error *err);

/* Reads a study file (JSON, docs/FORMATS.md) and opens its dumps; paths are relative to the file. Errors: those
   of opening; SAE_E_FORMAT with the place in the file; SAE_E_NOT_FOUND: a name that no condition has. */
SAE_API sae_status sae_study_load(sae_study **out, sae_context *context, const char *path, sae_error *err);
SAE_API void sae_study_free(sae_study *study);

/* SAE_E_ARGUMENT: a name twice, a second base, a rate or dose outside 0 … 1. */
SAE_API sae_status sae_study_add_condition(sae_study *study, const sae_condition *condition, sae_error *err);
/* Names of conditions that were added before; SAE_E_NOT_FOUND else. */
SAE_API sae_status sae_study_add_trigger(sae_study *study, const sae_study_trigger *trigger, sae_error *err);
SAE_API sae_status sae_study_add_trajectory(sae_study *study, const sae_study_trajectory *trajectory, sae_error *err);
/* Labels describe latents after they are ranked; they never rank. dump is borrowed, labels are copied. One
   reference dump a study, with up to SAE_LABELS_MAX labels of different names. */
enum { SAE_LABELS_MAX = 8 };
SAE_API sae_status sae_study_set_reference(sae_study *study, const sae_dump *dump, const sae_label *labels,
                                           size_t n_labels, sae_error *err);

/* The column that names the prompts in every dump; borrowed. NULL: prompt_id, else doc_id. */
SAE_API void sae_study_set_group(sae_study *study, const char *group);
/* Weighs rows so that all dumps have the same distribution over the column "position", for responses of different
   lengths; default false. */
SAE_API void sae_study_match_positions(sae_study *study, bool match);
/* Columns of every dump whose values become strata, beside is_continuation and position: a domain, a language.
   columns [n] are borrowed. */
SAE_API void sae_study_set_strata(sae_study *study, const char *const *columns, size_t n);

SAE_API const char *sae_study_title(const sae_study *study);
SAE_API size_t sae_study_conditions(const sae_study *study);
SAE_API const sae_condition *sae_study_condition(const sae_study *study, size_t i); /* NULL: out of range */
/* The index of the condition, or SIZE_MAX. */
SAE_API size_t sae_study_find(const sae_study *study, const char *name);

/* Called with the ranking of a condition (all latents, parts of one feature merged into its lead) as soon as it
   is made; the ranking is freed when the call returns. Return non-zero to stop. */
typedef int (*sae_study_ranking_fn)(void *user, const sae_condition *condition, const sae_ranking *ranking);

typedef struct sae_study_options {
    size_t size;
    size_t candidates;    /* latents to look at closely, besides the first few of each condition; default 30 */
    double alpha;         /* level of every decision, default 0.05 */
    double confidence;    /* of the intervals, default 0.95 */
    uint64_t permutations; /* at most so many draws for a p; 0: by the number of latents, as in a ranking */
    size_t bootstrap;     /* draws for the intervals, default 2000 */
    uint64_t seed;
    double least_share;   /* of the residual shift, for a candidate to be said to carry it; default 0.05 */
    const sae_model *const *others; /* [n_others] models of the same width, for stability; borrowed */
    size_t n_others;
    sae_study_ranking_fn each_ranking; /* may be NULL */
    void *ranking_user;
    sae_progress_fn progress;
    void *progress_user;
} sae_study_options;

SAE_API void sae_study_options_init(sae_study_options *options);

/* A latent, or several that are parts of one feature, in the order of the verdict. */
typedef struct sae_candidate {
    const uint32_t *latents; /* [n_latents], the lead first; in its place and units the others are counted */
    size_t n_latents;
    double cosine, correlation; /* means over the pairs of latents: of decoder rows, of prompt means; NaN for one */
    double score; /* the smallest rise over the bad conditions, each beyond the control it exceeds least */
} sae_candidate;

/* One candidate in one condition. */
typedef struct sae_evidence {
    sae_latent_stats ranked; /* of the lead, merged: against base, and beyond the mean of the controls */
    sae_contrast beyond;     /* against the control that it exceeds least; against base where there is none */
    size_t beyond_control;   /* index of that condition */
    double p_beyond;         /* the largest p over the controls: of rising beyond each of them */
    double q_beyond;         /* Benjamini-Hochberg of it over all latents */
    sae_latent_shift shift;  /* share of the residual shift beyond the mean control, and cosine with it */
    sae_shift_top together;  /* what the candidates up to this one carry of it */
    double p_direction;      /* of such a cosine, somewhere in the dictionary, had the shift a random direction */
    sae_decomposition parts; /* of the rise beyond the mean control */
} sae_evidence;

/* What speaks for or against a candidate. */
typedef enum sae_criterion {
    SAE_CRITERION_BEYOND,    /* rises beyond every control, in every bad condition */
    SAE_CRITERION_FAMILY,    /* and beyond their mean with family-wise significance over all latents */
    SAE_CRITERION_HELDOUT,   /* selected on one half of the prompts, it rises on the other */
    SAE_CRITERION_DIRECTION, /* points along the residual shift more than chance can explain */
    SAE_CRITERION_SHARE,     /* carries at least least_share of the shift */
    SAE_CRITERION_FIDELITY,  /* the model fits the rows of base, controls and bad conditions */
    SAE_CRITERION_CONTROLS,  /* no control raises it half as much as any bad condition; unknown without one */
    SAE_CRITERION_STABLE,    /* found in every other model */
    SAE_CRITERIA
} sae_criterion;

typedef enum sae_finding { SAE_UNKNOWN, SAE_FOR, SAE_AGAINST } sae_finding;

SAE_API const char *sae_criterion_name(sae_criterion criterion); /* "beyond", "family", …; NULL: no such */
/* Whether a candidate must pass it to carry the shift; the others are told beside it. */
SAE_API bool sae_criterion_required(sae_criterion criterion);

typedef struct sae_judgement {
    sae_finding finding[SAE_CRITERIA];
    bool carries; /* every required criterion speaks for it */
} sae_judgement;

/* The result of a study under one model; the study and the model must outlive it. */
typedef struct sae_findings sae_findings;

/* Reads every dump once. Memory: what fires on each prompt of every condition, and some hundred bytes for each
   latent and condition. Errors: those of reading and ranking; SAE_STOPPED. */
SAE_API sae_status sae_findings_new(sae_findings **out, const sae_study *study, const sae_model *model,
                                    const sae_study_options *options, sae_error *err);
SAE_API void sae_findings_free(sae_findings *findings);

/* Candidates in the order of the verdict: by score. i, condition out of range: NULL. */
SAE_API size_t sae_findings_candidates(const sae_findings *findings);
SAE_API const sae_candidate *sae_findings_candidate(const sae_findings *findings, size_t i);
/* NULL for the base, too. */
SAE_API const sae_evidence *sae_findings_evidence(const sae_findings *findings, size_t i, size_t condition);
SAE_API const sae_judgement *sae_findings_judgement(const sae_findings *findings, size_t i);
/* The first candidate that carries the shift, or SIZE_MAX: no latent does. */
SAE_API size_t sae_findings_carrier(const sae_findings *findings);

SAE_API sae_fidelity sae_findings_fidelity(const sae_findings *findings, size_t condition);
/* NULL, or why the ranking of the condition should not be believed as it stands. */
SAE_API const char *sae_findings_warning(const sae_findings *findings, size_t condition);
/* Of the residual beyond the mean of the controls (of the base without one). */
SAE_API const sae_shift_summary *sae_findings_shift(const sae_findings *findings, size_t condition);

/* Where another ranker puts a candidate among all latents. */
typedef struct sae_ranker_place {
    double score; /* NaN: none */
    size_t rank;  /* from 1, ties share the better place; 0: none */
} sae_ranker_place;

/* For bad conditions: the score of a candidate, merged, by every ranker that needs no further dump; minimum and
   mean over the bad conditions stand with the first of these. NULL: not a bad condition, not computed. */
SAE_API const sae_ranker_place *sae_findings_ranker(const sae_findings *findings, size_t condition,
                                                    sae_ranker ranker, size_t i);
SAE_API const sae_agreement *sae_findings_agreement(const sae_findings *findings, size_t condition);

/* The dose series: conditions with a dose above that of the control with the lowest. 0: none. */
SAE_API size_t sae_findings_doses(const sae_findings *findings);
SAE_API size_t sae_findings_dose_condition(const sae_findings *findings, size_t k);
SAE_API const sae_behaviour *sae_findings_behaviour(const sae_findings *findings);
SAE_API const sae_dose_response *sae_findings_dose_response(const sae_findings *findings, size_t i);
SAE_API const sae_series_point *sae_findings_dose_point(const sae_findings *findings, size_t i, size_t k);

/* Triggers and trajectories in the order they were added. */
SAE_API const sae_trigger_response *sae_findings_trigger(const sae_findings *findings, size_t trigger, size_t i);
SAE_API const sae_trigger_matching *sae_findings_trigger_matching(const sae_findings *findings, size_t trigger);
SAE_API const sae_trajectory *sae_findings_trajectory(const sae_findings *findings, size_t trajectory, size_t i);
SAE_API const sae_series_point *sae_findings_step(const sae_findings *findings, size_t trajectory, size_t i,
                                                  size_t k);

/* NULL when there are fewer than two bad or two good (control) conditions. */
SAE_API const sae_discrimination *sae_findings_discrimination(const sae_findings *findings, size_t i);
/* The closest latent of another model; NULL: no such model. */
SAE_API const sae_match *sae_findings_match(const sae_findings *findings, size_t other, size_t i);
/* How well the lead, counted for all its latents, tells the groups of a label apart; NULL without reference. */
SAE_API const sae_auroc_result *sae_findings_label(const sae_findings *findings, size_t label, size_t i);

#ifdef __cplusplus
}
#endif
#endif
