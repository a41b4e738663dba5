/* The mean activations of a few latents on each prompt of a dump. */
#ifndef SAEI_PROMPT_LATENTS_H
#define SAEI_PROMPT_LATENTS_H

#include "apply/groups.h"
#include "sae/model.h"

typedef struct saei_prompt_latents {
    sae_context *context;
    saei_groups *groups; /* ids ascending, rows of each */
    size_t n;            /* latents */
    double *mean;        /* [prompts, n] */
} saei_prompt_latents;

/* Reads the dump once. latent [n] ascending. Free after a failure, too: *out is then empty. */
sae_status saei_prompt_latents_read(saei_prompt_latents *out, const sae_model *model, const sae_dump *dump,
                                    const char *group, const uint32_t *latent, size_t n,
                                    sae_progress_fn progress, void *user, sae_error *err);
void saei_prompt_latents_free(saei_prompt_latents *latents);

/* The column that names the prompts of the dump: group unless NULL, else prompt_id, else doc_id. */
sae_status saei_prompt_column(const char **out, const char *group, const sae_dump *dump, sae_error *err);

/* Σ_j w_j mean_pj of prompt p. */
double saei_prompt_score_of(const saei_prompt_latents *latents, size_t p, const double *w);

/* Mean of the scores over prompts; *sum_squares, if not NULL: Σ_p (score_p − mean)². */
double saei_prompt_scores_mean(double *sum_squares, const saei_prompt_latents *latents, const double *w);

#endif
