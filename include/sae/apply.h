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

#ifdef __cplusplus
}
#endif
#endif
