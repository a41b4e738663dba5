/* The single prompts of several models that are known to be bad or good. */
#ifndef SAEI_CASES_H
#define SAEI_CASES_H

#include "diff/profile.h"

typedef struct saei_models {
    const saei_profile *const *profiles; /* [n] */
    const bool *bad;                     /* [n] */
    const double *domain; /* [n] of the fine-tuning data; NaN: of none, never left out; NULL: not known */
    size_t n;
    const double *prompt_id,
        *prompt_domain; /* [n_prompts] ids ascending, with the domain of each; NULL: not known */
    size_t n_prompts;
} saei_models;

/* fold[i] = the fold in which case i is tested, UINT32_MAX: none. A case of another fold trains. */
typedef struct saei_folds {
    uint32_t *fold; /* [cases] */
    size_t n;       /* 0: none */
} saei_folds;

/* Case first[c] .. first[c + 1] - 1 are the prompts of model c. */
typedef struct saei_cases {
    sae_context *context;
    const saei_models *models;
    size_t n, n_prompts;      /* cases; distinct prompts */
    size_t *first;            /* [models + 1] */
    uint32_t *model, *prompt; /* [n] */
    bool *bad;                /* [n] */
    saei_folds by_model, by_domain, by_prompt_domain;
} saei_cases;

/* models must outlive the result. SAE_E_ARGUMENT: not at least one model of each kind; SAE_E_MISMATCH: models
   of different sizes; SAE_E_UNSUPPORTED: more than SAEI_MOST_MODELS, for which exact p-values take too long.
 */
enum { SAEI_MOST_MODELS = 128 };
sae_status saei_cases_new(saei_cases **out, const saei_models *models, sae_error *err);
void saei_cases_free(saei_cases *cases);

/* score [cases] += the activation of the latent. */
void saei_cases_add(double *score, const saei_cases *cases, uint32_t latent);

#endif
