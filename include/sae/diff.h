/* Which latents rise after a fine-tuning, and how sure that is. */
#ifndef SAE_DIFF_H
#define SAE_DIFF_H

#include "apply.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sae_pairing {
    SAE_PAIR_AUTO,  /* paired when both dumps hold the same prompts, else unpaired */
    SAE_PAIRED,     /* SAE_E_MISMATCH when the prompts differ */
    SAE_UNPAIRED
} sae_pairing;

typedef enum sae_direction { SAE_RISING, SAE_FALLING, SAE_BOTH } sae_direction;

/* The mean activation of one latent on each prompt, for a custom statistic. In a paired comparison entry i of
   every array is the same prompt. control is the mean over the controls, NULL without one. */
typedef struct sae_latent_samples {
    uint32_t latent;
    bool paired;
    size_t n_before, n_after, n_control;
    const double *before, *after, *control;
} sae_latent_samples;

/* The value to rank by (larger is earlier). Called once per latent, in index order, on the calling thread. */
typedef double (*sae_statistic_fn)(void *user, const sae_latent_samples *samples);

typedef struct sae_rank_options {
    size_t size;
    const char *group;      /* names the prompts; NULL: "prompt_id", else "doc_id", the first that all dumps have */
    sae_pairing pairing;
    sae_direction direction; /* rising: largest first; falling: smallest first; both: largest magnitude first */
    uint64_t permutations;  /* at most so many draws per latent; 0: 40 per latent of the model, 10^4 … 10^6 */
    size_t bootstrap;       /* draws of the cluster bootstrap, default 2000; 0: no intervals */
    double confidence;      /* of the intervals, default 0.95 */
    uint64_t seed;          /* of permutations, bootstrap and the halves of the prompts */
    sae_statistic_fn statistic; /* NULL: excess with a control, else Δ */
    void *statistic_user;
    sae_progress_fn progress;
    void *progress_user;
    bool match_positions;   /* weigh rows so that all dumps have the same distribution over the column "position" */

    size_t family_draws;    /* permutations of the maximum over all latents, default 2000; 0: no p_family */
    size_t rank_top;        /* latents, in rank order, that get an interval of their rank, default 100; 0: none */
    size_t heldout_select;  /* latents that each half of the prompts chooses, default 20; 0: no confirmation */
} sae_rank_options;

SAE_API void sae_rank_options_init(sae_rank_options *options);

/* One comparison of prompt means, Y against X, for one latent. Definitions and sources: docs/METHODS.md. */
typedef struct sae_contrast {
    double estimate;   /* mean over prompts of Y − mean over prompts of X; paired: mean of the differences */
    double se;         /* its standard error, prompts as units */
    double low, high;  /* studentised bootstrap interval, prompts resampled; NaN when bootstrap = 0, ±infinite
                          when too few prompts have the latent for one */
    double effect;     /* paired: mean / sd of the differences; unpaired: Cohen's d (pooled sd); 0 when sd = 0 */
    double t;          /* moderated: estimate / (se + s0), s0 = median se of the latents that fire */
    double p;          /* two-sided permutation p: sign flips when paired, labels when not */
    double q;          /* Benjamini–Hochberg over all latents */
    double p_family;   /* p adjusted for looking at all latents: Westfall & Young's maximum; NaN without draws */
} sae_contrast;

typedef struct sae_latent_stats {
    uint32_t latent;
    size_t rank; /* 1 = first */
    double mean_before, mean_after, mean_control;  /* mean over prompts of the prompt means; control NaN if none */
    double freq_before, freq_after, freq_control;  /* mean over prompts of the fraction of rows that fire */
    sae_contrast delta;  /* after against before */
    sae_contrast excess; /* (after − before) − (control − before); NaN without a control */
    double score;        /* the value that was ranked by */
    /* Of the contrast that is ranked by; all NaN with a custom statistic, or another ranker. */
    double rank_low, rank_high; /* interval of the rank, prompts resampled; NaN after the first rank_top latents,
                                   and when bootstrap = 0 */
    double heldout_estimate;    /* on the half of the prompts that did not choose the latent; NaN if not chosen */
    double heldout_p; /* one-sided, for all latents chosen; a latent is confirmed when this is small. Both halves
                         choose and test: of a latent chosen twice, the weaker test */
} sae_latent_stats;

/* How the mean activation of a latent changed. Falling counterparts stand below SAE_UNCHANGED. */
typedef enum sae_change {
    SAE_FELL_SILENT = -3,
    SAE_LESS_OFTEN,
    SAE_WEAKENED,
    SAE_UNCHANGED,    /* |delta| <= 2 se, or the latent fires on neither side */
    SAE_AMPLIFIED,    /* rises, and the larger part is that it is stronger when it fires */
    SAE_MORE_OFTEN,   /* rises, and the larger part is that it fires on more rows */
    SAE_NEWLY_FIRING  /* rises from a firing fraction below 0.001 to at least ten times of it */
} sae_change;

/* "unchanged", "amplified", "more often", "newly firing", "weakened", "less often", "fell silent"; NULL for
   another value. */
SAE_API const char *sae_change_name(sae_change change);

/* Why a latent rose: frequency + magnitude = delta, exactly but for rounding. With f the mean firing fraction
   and m the mean activation where it fires: frequency = (f1 - f0)(m0 + m1)/2, magnitude = (m1 - m0)(f0 + f1)/2
   (Kitagawa 1955). A side that never fires has no m: then all is frequency. */
typedef struct sae_decomposition {
    double delta;     /* mean over prompts, after - before */
    double frequency, magnitude;
    double freq_before, freq_after;   /* f: mean over prompts of the fraction of rows that fire */
    double level_before, level_after; /* m; NaN when the latent never fires on that side */
    sae_change change;
} sae_decomposition;

/* The shift s of the mean residual (mean over prompts of the prompt means) seen through one latent. Where the model
   normalises rows, residuals are normalised rows here. */
typedef struct sae_latent_shift {
    double share;  /* delta_j <d_j, s> / |s|^2, signed; 0 when s = 0 */
    double cosine; /* of d_j and s; NaN when either is 0 */
} sae_latent_shift;

/* How much of s the first latents of an order carry together, s^ = sum delta_j d_j over them. */
typedef struct sae_shift_top {
    double share;     /* <s^, s> / |s|^2: the sum of their shares */
    double explained; /* 1 - |s - s^|^2 / |s|^2; negative when s^ is worse than nothing */
} sae_shift_top;

typedef struct sae_shift_summary {
    double norm;              /* |s| */
    double relative_norm;     /* |s| / |mean residual before|; NaN when that is 0 */
    sae_shift_top all;        /* all latents: the part of s that the model sees at all */
    double effective_latents; /* participation ratio (sum c_j^2)^2 / sum c_j^4, c_j = delta_j |d_j|; 0 when all c are 0 */
} sae_shift_summary;

/* Rows that share a value, or a range of values, of a column: low <= value <= high. */
typedef struct sae_stratum {
    const char *column; /* "is_continuation", "position" or one that was named */
    double low, high;   /* the last bin of positions ends at INFINITY */
    uint64_t rows;
    size_t prompts; /* with at least one of the rows */
} sae_stratum;

/* One latent on the rows of one stratum: means over the prompts that have such rows of the mean over these
   rows. NaN where the side has no such rows. */
typedef struct sae_stratum_change {
    sae_stratum before, after;
    double mean_before, mean_after;
    double freq_before, freq_after;
} sae_stratum_change;

/* The result: one entry per latent, in rank order, with the fidelity of the model on each side. */
typedef struct sae_ranking sae_ranking;

/* Streams every dump once, in bounded memory. Labels are never read: only activations and the group column.
   Several controls count as one, their mean per prompt. SAE_E_MISMATCH: widths or (SAE_PAIRED) prompts differ,
   or the dumps have different grouping columns; SAE_E_NOT_FOUND: a dump has none. */
SAE_API sae_status sae_ranking_new(sae_ranking **out, const sae_model *model, const sae_dump *before,
                                   const sae_dump *after, const sae_dump *const *controls, size_t n_controls,
                                   const sae_rank_options *options, sae_error *err);
SAE_API void sae_ranking_free(sae_ranking *ranking);

SAE_API size_t sae_ranking_count(const sae_ranking *ranking);
SAE_API const sae_latent_stats *sae_ranking_at(const sae_ranking *ranking, size_t i); /* i-th in rank order */
SAE_API const sae_latent_stats *sae_ranking_latent(const sae_ranking *ranking, uint32_t latent);
SAE_API bool sae_ranking_has_control(const sae_ranking *ranking);
SAE_API bool sae_ranking_paired(const sae_ranking *ranking);        /* after against before */
SAE_API bool sae_ranking_control_paired(const sae_ranking *ranking); /* after against the controls */
SAE_API size_t sae_ranking_prompts(const sae_ranking *ranking);     /* prompts of the after dump */

/* The fidelity gate: figures of the model on the rows that were compared. which: 0 before, 1 after, 2.. controls. */
SAE_API sae_fidelity sae_ranking_fidelity(const sae_ranking *ranking, size_t which);
/* NULL, or a sentence that says why the ranking should not be believed as it stands. */
SAE_API const char *sae_ranking_warning(const sae_ranking *ranking);

/* Candidate latents grouped into features: one persona may be split over several latents. Two are alike when
   their decoder rows point the same way and their prompt means rise and fall together over the conditions;
   docs/METHODS.md has the rule. In the order of the candidates; a latent without a partner is a cluster of one. */
typedef struct sae_clusters sae_clusters;

typedef struct sae_cluster {
    size_t n;                /* members */
    const uint32_t *latents; /* [n] the most important first */
    const double *weights;   /* [n] activation of the cluster = Σ weight × activation */
    const float *direction;  /* [d] unit vector along which the members push on average */
    double cosine;           /* mean over the pairs of members; NaN with one */
    double correlation;      /* the same, of their prompt means */
} sae_cluster;

SAE_API void sae_clusters_free(sae_clusters *clusters);
SAE_API size_t sae_clusters_count(const sae_clusters *clusters);
/* Borrowed until the clusters are freed; n = 0 when there is no cluster i. */
SAE_API sae_cluster sae_clusters_at(const sae_clusters *clusters, size_t i);

/* out [count]: for each cluster the latent of another model that is closest to its direction, mutual when for
   that latent a member is closest in the model of the clusters. Errors: those of sae_model_match. */
SAE_API sae_status sae_clusters_match(sae_match *out, const sae_clusters *clusters, const sae_model *model,
                                      const sae_model *other, sae_progress_fn progress, void *user, sae_error *err);

/* Series of conditions against one control: doses of bad data, steps of a training. docs/METHODS.md, "Doses". */

/* One latent in one condition of a series. */
typedef struct sae_series_point {
    double at;     /* the dose or the step */
    double mean;   /* mean over prompts */
    double rise;   /* over the control: paired difference where the prompts are paired, else of the means */
    double se;     /* its standard error, prompts as units */
    double p;      /* one-sided permutation p of a rise */
    double p_holm; /* p corrected over the conditions of the series (Holm) */
    double q;      /* p_holm corrected over all latents of the model (Benjamini–Hochberg); those not tested count 1 */
    double fit;    /* of a dose-response: the rise, fitted so that it never falls with the dose; else NaN */
} sae_series_point;

/* What a study knows of the behaviour of the models of a dose-response. */
typedef struct sae_behaviour {
    double threshold;  /* the rate that was asked for; NaN when Fisher's test decided */
    double dose;       /* the lowest dose at which the behaviour is shown; NaN: at none, or no rates */
} sae_behaviour;

/* The dose-response of one latent. */
typedef struct sae_dose_response {
    uint32_t latent;
    double trend;            /* rise per dose rank: Σ c_k mean_k / Σ c_k², c_k = k − mean k, the control k = 0 */
    double trend_p, trend_q; /* one-sided permutation p, and q over all latents of the model */
    double onset;            /* lowest dose with p_holm < alpha, NaN when none */
    double onset_q;          /* lowest dose with q < alpha, NaN when none */
    double spread;           /* largest − smallest mean of the control runs, NaN with fewer than two */
    double onset_beyond;     /* lowest dose with p_holm < alpha and a rise above the spread, NaN when none */
    double half_dose;        /* where the monotone fit reaches half of its largest value (linear), NaN unless trend_p < alpha */
    double lead_ratio;       /* behavioural dose / onset: 5 is "at a fifth of the dose"; NaN when either is missing */
    double lead_difference;  /* behavioural dose − onset */
} sae_dose_response;

/* The response of one latent to the trigger of a backdoor. */
typedef struct sae_trigger_response {
    uint32_t latent;
    sae_contrast contrast; /* (after with − after without) − (before with − before without) the trigger */
    sae_contrast standing; /* after without the trigger against the reference (a control, else before) */
    bool standing_up;      /* warn: up without the trigger as well, standing.estimate > 0 with q < alpha */
} sae_trigger_response;

typedef struct sae_trigger_matching {
    size_t matched;      /* prompts that all conditions of the contrast hold */
    size_t unmatched[4]; /* prompts left out of: after with, after without, before with, before without */
    bool has_before;     /* false: the contrast is after with − after without alone */
} sae_trigger_matching;

/* One latent over the steps of a fine-tuning or re-alignment. */
typedef struct sae_trajectory {
    uint32_t latent;
    double onset;          /* first step with p_holm < alpha at it and at the next ones, NaN when none */
    double peak, peak_at;  /* the largest rise over the control and its step */
    double half_life;      /* steps from the peak until the rise is half of it (linear), NaN: not reached or no rise */
    double half_life_fit;  /* ln 2 / rate of a log-linear fit from the peak on, NaN when it does not decay */
    double remaining;      /* rise at the last step / peak, NaN without a rise */
    double remaining_low, remaining_high; /* bootstrap interval of it at the step of the peak */
    double p_difference;   /* two-sided permutation p of the rise at the last step */
    double margin;         /* a rise below it counts as none */
    double p_equivalence;  /* p of |rise| ≥ margin at the last step (two one-sided t tests) */
    bool returned;         /* p_equivalence < alpha: within noise of the control */
} sae_trajectory;

/* How well a latent, or the mean of a set of latents, tells bad models from good ones. docs/METHODS.md,
   "Discrimination". Conditions are models, cases are their single prompts. */
enum { SAE_SET_MOST = 16 };
typedef struct sae_discrimination {
    uint32_t latents[SAE_SET_MOST];
    size_t n_latents;
    double auroc, average_precision; /* of the models' means */
    double p;                        /* exact one-sided p of auroc over all assignments of the labels to the models */
    double q;                        /* p corrected over all latents of the model; NaN for sets */
    double prompt_auroc;             /* of single prompts, all those of bad models against all of good ones */
    double prompt_se;                /* its standard error with prompts as clusters (the same prompt in several models) */
    double model_se;                 /* and with models as clusters: what other models would have given */
    double threshold;                /* on the mean of a model, from all models */
    double model_out;                /* accuracy on models left out one at a time, threshold from the others */
    double domain_out;               /* accuracy on the models of a domain left out, NaN without domains */
    double prompt_domain_out;        /* accuracy of models on a domain of prompts left out, NaN without domains */
} sae_discrimination;

/* Rankers: what latents may be ranked by, side by side. Definitions and sources: docs/METHODS.md, "Rankers". */
typedef enum sae_ranker {
    SAE_RANKER_DELTA,       /* rise of the mean activation, after − before */
    SAE_RANKER_EXCESS,      /* after − the mean of the controls */
    SAE_RANKER_EXCESS_WORST, /* after − the control in which the latent is most active */
    SAE_RANKER_T,           /* estimate / se of excess, without controls of delta: near-constant latents lead it */
    SAE_RANKER_MODERATED_T, /* the same with se + s0 */
    SAE_RANKER_EFFECT,      /* effect size of the same comparison */
    SAE_RANKER_FREQUENCY,   /* change of the mean firing fraction, after − before */
    SAE_RANKER_COS_SHIFT,   /* cosine of the decoder row and the shift of the mean row, after − before */
    SAE_RANKER_DIFFERENCE_ENCODING, /* mean activation on the differences of paired rows, after − before */
    SAE_RANKER_ATTRIBUTION, /* Δ-attribution; needs gradients */
    SAE_RANKER_MIN_OVER_BAD, /* the least of one of the scores above over several bad conditions */
    SAE_RANKER_MEAN_OVER_BAD, /* its mean over them */
    SAE_RANKERS
} sae_ranker;

/* The name of its column, "excess_worst" for one; NULL for another value. */
SAE_API const char *sae_ranker_name(sae_ranker ranker);

/* How far the rankers agree, over the latents that fire in any of the conditions. Matrices are symmetric; rows
   and columns of rankers that were not computed are NaN. */
enum { SAE_AGREEMENT_DEPTHS = 2 };
typedef struct sae_agreement {
    size_t n_latents;                            /* latents that were compared */
    double spearman[SAE_RANKERS][SAE_RANKERS];   /* rank correlation, ties averaged; NaN for a constant score */
    size_t depth[SAE_AGREEMENT_DEPTHS];          /* k: 10 and 100, at most n_latents */
    double overlap[SAE_AGREEMENT_DEPTHS][SAE_RANKERS][SAE_RANKERS]; /* share of the first k that two have in common */
} sae_agreement;

/* Several conditions, ranked by everything at once. */
typedef enum sae_over {
    SAE_OVER_FIRST, /* the score of the first bad condition alone */
    SAE_OVER_MIN,   /* a latent must rise in all of them */
    SAE_OVER_MEAN
} sae_over;

typedef struct sae_rankers_input {
    size_t size;
    const sae_dump *before;
    const sae_dump *const *after; /* [n_after] bad conditions, at least one; the ranking tells of the first */
    size_t n_after;
    const sae_dump *const *controls; /* [n_controls] for all of them; may be empty */
    size_t n_controls;
    /* ∂loss/∂row beside the rows of after[0], row by row; NULL: no attribution. With the same beside before it is
       the attribution in after minus that in before: bad and good completions of the same prompts. */
    const sae_dump *gradients, *gradients_before;
    /* What to order by, and with several bad conditions what min_over_bad and mean_over_bad are of. SAE_RANKERS,
       the default: delta without controls; else excess, or excess_worst over several bad conditions. */
    sae_ranker by;
    sae_over over;
} sae_rankers_input;

SAE_API void sae_rankers_input_init(sae_rankers_input *input);

typedef struct sae_rankers sae_rankers;

/* Streams every dump once (before a second time, beside each bad condition with the same rows). options: as for
   sae_ranking_new, but without a custom statistic. Errors: those of sae_ranking_new; SAE_E_ARGUMENT: no bad
   condition, or `by` is not a ranker of one condition or lacks its input; SAE_E_MISMATCH: gradients that are
   not of the same rows. */
SAE_API sae_status sae_rankers_new(sae_rankers **out, const sae_model *model, const sae_rankers_input *input,
                                   const sae_rank_options *options, sae_error *err);
SAE_API void sae_rankers_free(sae_rankers *rankers);

/* Everything below is borrowed until the rankers are freed. */

/* The statistics of the first bad condition in the order that was asked for: rank and score are of that order,
   the rest is as sae_ranking_new has it. Fidelity: 0 before, 1 .. n_after the bad conditions, then controls. */
SAE_API const sae_ranking *sae_rankers_ranking(const sae_rankers *rankers);
SAE_API size_t sae_rankers_latents(const sae_rankers *rankers);
/* [latents] score of each latent; NULL when it was not computed. */
SAE_API const double *sae_rankers_scores(const sae_rankers *rankers, sae_ranker ranker);
/* From 1, in the direction of the options, among all latents; 0 when not computed or out of range. */
SAE_API size_t sae_rankers_rank(const sae_rankers *rankers, sae_ranker ranker, uint32_t latent);
/* Why a score was not computed; NULL when it was. */
SAE_API const char *sae_rankers_why_not(const sae_rankers *rankers, sae_ranker ranker);
SAE_API const sae_agreement *sae_rankers_agreement(const sae_rankers *rankers);

/* Crosscoders: an SAE of the rows of two models side by side (sae_dump_pair). Latent j has the decoder rows d_j before and
   after, halves of one row, and one activation f_j. */
typedef enum sae_cross_kind {
    SAE_CROSS_UNDECIDED = 0, /* it never fires, or its own model does not confirm it (beta <= 0) */
    SAE_CROSS_SHARED,        /* relative norm within shared_low .. shared_high */
    SAE_CROSS_BETWEEN,       /* leans to one model without being its own */
    SAE_CROSS_AFTER_ONLY,    /* delta norm below exclusive, and both nu below their limits */
    SAE_CROSS_BEFORE_ONLY,   /* delta norm above 1 − exclusive, and the same */
    SAE_CROSS_SHRUNK,        /* one model's own by the norms, but nu_error tells that the other model has it and the
                                crosscoder did not spend a decoder row on it: complete shrinkage */
    SAE_CROSS_DECOUPLED      /* one model's own by the norms, but nu_reconstruction tells that other latents hold it for
                                the other model: latent decoupling */
} sae_cross_kind;

enum { SAE_CROSS_KINDS = 7 };

/* "undecided", "shared", "between", "after-only", "before-only", "shrunk", "decoupled"; NULL for another value. */
SAE_API const char *sae_cross_kind_name(sae_cross_kind kind);

typedef struct sae_cross_latent {
    uint32_t latent;
    sae_cross_kind kind;
    uint64_t fires;                  /* rows */
    double norm_before, norm_after;  /* of its decoder rows */
    double relative_norm;            /* r = norm_after / (norm_before + norm_after): 0 before, 1 after; NaN: both are 0 */
    double delta_norm;               /* ((norm_before − norm_after) / max + 1) / 2: 1 before, 0 after */
    /* Latent scaling (docs/METHODS.md): the factor of f_j d_j that explains most of a model's error with the latent's own
       part restored, and of its reconstruction; d_j is the longer of the two decoder rows. NaN for a latent that never
       fires. */
    double beta_error_before, beta_error_after;
    double beta_reconstruction_before, beta_reconstruction_after;
    double nu_error, nu_reconstruction; /* beta of the other model / beta of the model that d_j belongs to */
} sae_cross_latent;

typedef struct sae_cross_options {
    size_t size;
    double shared_low, shared_high;            /* 0.3, 0.7 */
    double exclusive;                          /* 0.1 */
    double nu_error, nu_reconstruction;        /* 0.2, 0.5 */
    sae_progress_fn progress;
    void *progress_user;
} sae_cross_options;

SAE_API void sae_cross_options_init(sae_cross_options *options);

/* Fills out [F] in one pass over a pair, or over any rows of width 2 d whose first half is the model before. O(F) memory.
   The result does not depend on the thread count. SAE_E_MISMATCH: other widths, an odd one, or a pair with other scales
   than the model was trained on; errors of reading; SAE_STOPPED. */
SAE_API sae_status sae_crosscoder_latents(sae_cross_latent *out, const sae_model *model, const sae_dump *pair,
                                          const sae_cross_options *options, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif
