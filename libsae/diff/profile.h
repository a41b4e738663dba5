/* What a model does on each prompt of a dump: mean activation and firing fraction of every latent that fires.
 */
#ifndef SAEI_PROFILE_H
#define SAEI_PROFILE_H

#include "apply/groups.h"
#include "apply/pass.h"
#include "sae/diff.h"

/* Sparse and latent-major: latent j fires on the prompts prompt[ptr[j]] .. prompt[ptr[j + 1] - 1], ascending.
 */
typedef struct saei_profile {
    sae_context *context;
    size_t n_prompts, n_latents;
    double *id;         /* [n_prompts] values of the group column, ascending */
    uint64_t *ptr;      /* [n_latents + 1] */
    uint32_t *prompt;   /* [ptr[n_latents]] */
    double *activation; /* mean activation over the rows of the prompt, > 0 */
    double *frequency;  /* fraction of these rows on which the latent fires, > 0 */
} saei_profile;

/* Fills a profile from the blocks of a pass. groups are those of the same rows and must outlive it, as must
   row_weight [rows] (>= 0, not all 0 within a prompt; NULL: all 1): then activation and frequency are
   weighted means over the rows of the prompt, and rows of weight 0 do not fire. */
typedef struct saei_profile_builder saei_profile_builder;
sae_status saei_profile_builder_new(saei_profile_builder **out, sae_context *context,
                                    const saei_groups *groups, const double *row_weight, size_t n_latents,
                                    sae_error *err);
/* A saei_block_fn. */
sae_status saei_profile_builder_observe(void *builder, const saei_block *block, sae_error *err);
sae_status saei_profile_builder_finish(saei_profile **out, saei_profile_builder *builder, sae_error *err);
void saei_profile_builder_free(saei_profile_builder *builder);

/* Streams the dump once. *fidelity gets the figures of the model on the same rows. Memory is proportional to
   the (prompt, latent) pairs that fire, up to half of the limit, and to the latents beyond (diff/firings.h).
   group: the column that names the prompts. row_weight: as above; the
   fidelity is that of all rows alike. */
sae_status saei_profile_read(saei_profile **out, sae_fidelity *fidelity, const sae_model *model,
                             const sae_dump *dump, const char *group, const double *row_weight,
                             sae_progress_fn progress, void *user, sae_error *err);

/* The same when the groups were read, with others that look at the same pass (at most SAEI_OBSERVERS_MAX − 2;
   NULL: none). Of pass: model, dump and progress. */
sae_status saei_profile_observe(saei_profile **out, sae_fidelity *fidelity, saei_pass pass,
                                const saei_groups *groups, const double *row_weight,
                                const saei_observers *others, sae_error *err);

/* The mean of n ≥ 1 profiles on each prompt, over the profiles that hold the prompt. */
sae_status saei_profile_mean(saei_profile **out, saei_profile *const *profiles, size_t n, sae_error *err);

void saei_profile_free(saei_profile *profile);

/* Σ of values (activation or frequency of the profile) over the prompts where the latent fires, divided by
   the number of all prompts. */
static inline double saei_mean_over_prompts(const saei_profile *profile, const double *values, size_t latent)
{
    double sum = 0;
    for (uint64_t i = profile->ptr[latent]; i < profile->ptr[latent + 1]; i++)
        sum += values[i];
    return sum / (double)profile->n_prompts;
}

/* One addend of a profile. */
typedef struct saei_firing {
    uint32_t latent, prompt;
    double activation, frequency;
} saei_firing;

/* A profile of zeros with room for so many pairs, which lie in a temporary file when memory is short
   (saei_scratch_alloc); to be filled in the order of the latents. */
sae_status saei_profile_alloc(saei_profile **out, sae_context *context, size_t n_prompts, size_t n_latents,
                              uint64_t n_pairs, sae_error *err);

/* A profile that is made of ranges of latents, each range behind the last. */
typedef struct saei_profile_parts {
    saei_profile *profile;
    const double *weight; /* [n_prompts] */
    uint64_t n;           /* pairs so far */
} saei_profile_parts;

/* Σ of the firings of each (latent, prompt), in their order, divided by weight[prompt], for the latents
   first_latent … first_latent + n_latents − 1, all that are in firings. Reorders firings. */
sae_status saei_profile_append(saei_profile_parts *parts, saei_firing *firings, uint64_t n,
                               size_t first_latent, size_t n_latents, sae_error *err);

/* Σ of the firings of each (latent, prompt), in their order, divided by weight[prompt]. Reorders firings. */
sae_status saei_profile_new(saei_profile **out, sae_context *context, saei_firing *firings, uint64_t n,
                            const double *id, const double *weight, size_t n_prompts, size_t n_latents,
                            sae_error *err);

#endif
