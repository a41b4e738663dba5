/* Latents that are parts of one feature, and what they do together. */
#ifndef SAEI_CLUSTERS_H
#define SAEI_CLUSTERS_H

#include "diff/profile.h"

/* Clusters in the order of their first members, members in the order of the candidates. A latent without a
   partner is a cluster of one. */
struct sae_clusters {
    sae_context *context;
    size_t n, n_members, d;
    size_t *ptr;      /* [n + 1] */
    uint32_t *latent; /* [n_members] */
    double *weight;   /* [n_members] of an activation in that of the cluster: d_j · u, 0 or more */
    float *direction; /* [n, d] unit vectors u */
    double *cosine, *correlation; /* [n] means over the pairs of members; NaN without a pair */
};

/* What the pairs of candidates have in common: [n, n] each, symmetric, with 1 on the diagonal. */
typedef struct saei_alikeness {
    double *cosine;      /* of the decoder rows; 0 where one has length 0 */
    double *correlation; /* of the prompt means; 0 where one latent is constant */
} saei_alikeness;

enum { SAEI_CANDIDATES_MAX = 4096 };

/* The threshold to use without a reason for another; docs/METHODS.md has the experiment. */
#define SAEI_CLUSTER_THRESHOLD 0.3

/* cosine and correlation of n candidate latents. The correlation is that over all prompts of all profiles,
   each (prompt, profile) a point: profiles are the conditions that are compared. */
sae_status saei_alikeness_fill(saei_alikeness *out, const sae_model *model,
                               const saei_profile *const *profiles, size_t n_profiles,
                               const uint32_t *latents, size_t n, sae_error *err);

/* Groups candidates whose smaller one of cosine and correlation is at least `threshold` on average
   (saei_average_linkage). latents [n]: distinct, most important first. n_profiles >= 1. Errors:
   SAE_E_ARGUMENT for more than SAEI_CANDIDATES_MAX candidates, a latent that the model lacks or that comes
   twice, or a threshold outside -1 … 1. */
sae_status saei_clusters_new(sae_clusters **out, const sae_model *model, const saei_profile *const *profiles,
                             size_t n_profiles, const uint32_t *latents, size_t n, double threshold,
                             sae_error *err);

/* A profile with one latent for each cluster, on which every analysis works as on latents. activation: Σ of
   weight × activation of the members, that is how far they push along u, in the units of the rows. frequency:
   Σ of theirs, at most 1: the upper bound of the fraction of rows on which one of them fires. */
sae_status saei_profile_of_clusters(saei_profile **out, const saei_profile *profile,
                                    const sae_clusters *clusters, sae_error *err);

#endif
