/* A model run over the rows of a dump: how well it fits, where a latent fires, what a latent tells apart. */
#ifndef SAE_APPLY_H
#define SAE_APPLY_H

#include "dump.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How well a model fits the rows of a dump. Sums in double. */
typedef struct sae_fidelity {
    uint64_t rows;
    double fvu;                /* Σ‖x − x̂‖² / Σ‖x − mean x‖²: fraction of variance unexplained */
    double explained_variance; /* 1 − fvu */
    double l0;                 /* mean number of active latents per row */
    double dead;               /* fraction of latents that fire on no row */
    double cosine;             /* mean cosine of x and x̂ */
} sae_fidelity;

SAE_API sae_status sae_model_evaluate(sae_fidelity *out, const sae_model *model, const sae_dump *dump,
                                      sae_error *err);

/* The fit by the formulas of other tools, which go by the same few names: e = x − x̂, means over the rows of
   the dump. Means of ratios leave out the rows whose denominator is 0; NaN when nothing is left. */
typedef struct sae_fidelity_variants {
    double explained_variance;  /* 1 − E‖e‖² / (E‖x‖² − ‖E x‖²): sae_fidelity, and SAELens from 6.45.1 on */
    double saelens_legacy;      /* E(1 − ‖e‖² / ‖x − E x‖²), row by row: SAELens before that, SAEBench */
    double dictionary_learning; /* 1 − Σ_i var(e_i) / Σ_i var(x_i): a constant error costs nothing */
    double sparsify_fvu;        /* Σ‖e‖² / Σ‖x − E x‖² */
    double openai_nmse;         /* E(‖e‖² / ‖x‖²), row by row */
    double l1;                  /* E Σ_j |f_j| */
    double l2_ratio;            /* E(‖x̂‖ / ‖x‖): below 1 when activations are shrunk */
    double relative_reconstruction_bias; /* E‖x̂‖² / E(x · x̂): 1 when a common factor would not help */
} sae_fidelity_variants;

/* How often latents fire: the density of a latent is the fraction of the rows on which it is active. */
enum { SAE_DENSITY_BINS = 16 };
typedef struct sae_densities {
    size_t silent; /* latents that fire on no row */
    size_t rare;   /* density below 1e-5, the silent ones included: what other tools call dead */
    size_t dense;  /* density above 0.1 */
    /* Latents that fire, in half decades: bin i holds 10^(i/2 − 8) <= density < 10^((i + 1)/2 − 8), the first
       also what is below and the last density 1. */
    size_t bins[SAE_DENSITY_BINS];
} sae_densities;

typedef struct sae_evaluation {
    sae_fidelity fidelity;
    sae_fidelity_variants variants;
    sae_densities densities;
} sae_evaluation;

/* Everything that the codes of a dump tell about a model. Encodes the rows once; they are read twice, for
   their mean comes first. fires [F], if not NULL: rows on which each latent is active. Errors: SAE_E_MISMATCH
   (widths), SAE_E_ARGUMENT (no row), those of reading, SAE_STOPPED. */
SAE_API sae_status sae_model_evaluate_all(sae_evaluation *out, uint64_t *fires, const sae_model *model,
                                          const sae_dump *dump, sae_progress_fn progress, void *user,
                                          sae_error *err);

/* The rows on which a latent is most active, strongest first; ties to the earlier row. */
typedef struct sae_top_row {
    uint64_t row; /* index among the selected rows of the dump */
    float value;
} sae_top_row;

/* Fills out [capacity] and *count with the strongest rows on which the latent fires. */
SAE_API sae_status sae_model_top_rows(sae_top_row *out, size_t *count, size_t capacity, const sae_model *model,
                                      const sae_dump *dump, uint32_t latent, sae_progress_fn progress, void *user,
                                      sae_error *err);

/* How well the mean activation of a latent over each group's rows tells labelled groups from the others. */
typedef struct sae_auroc_result {
    double auroc;   /* P(a labelled group scores higher) + P(tie) / 2 (Mann–Whitney) */
    double se;      /* DeLong et al. 1988 */
    size_t n_positive, n_negative; /* groups */
    double mean_positive, mean_negative;
} sae_auroc_result;

/* label: a condition such as "labels/persona=1" that must hold for all rows of a group or none
   (SAE_E_MISMATCH else). group NULL: every row is its own group. */
SAE_API sae_status sae_auroc(sae_auroc_result *out, const sae_model *model, const sae_dump *dump, uint32_t latent,
                             const char *label, const char *group, sae_progress_fn progress, void *user,
                             sae_error *err);

/* What is known of the rows of a labelled dump, to describe latents by: never to rank them. */
typedef struct sae_label {
    const char *name;      /* "toxic answers"; only for the reader of the table */
    const char *condition; /* "labels/persona=1": rows for which it holds are positive */
    const char *where;     /* rows that count, "labels/region=3"; NULL: all */
    const char *group;     /* column; NULL: every row is its own group */
    bool split;            /* a group with rows of both kinds counts as two units; false: SAE_E_MISMATCH */
} sae_label;

/* sae_auroc for many latents and labels in one pass: out [n_labels, n_latents]. latents NULL: all of the
   model, and n_latents must be F. Memory: n_latents numbers for each unit of each label, and four bytes for
   each row and label. Errors as sae_auroc, which name the label's condition. */
SAE_API sae_status sae_model_describe(sae_auroc_result *out, const sae_model *model, const sae_dump *dump,
                                const sae_label *labels, size_t n_labels, const uint32_t *latents,
                                size_t n_latents, sae_progress_fn progress, void *user, sae_error *err);

#ifdef __cplusplus
}
#endif
#endif
