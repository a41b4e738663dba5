/* The latents that a study looks at closely: chosen by cheap scores, parts of one feature taken together. */
#ifndef SAEI_CANDIDATES_H
#define SAEI_CANDIDATES_H

#include "diff/clusters.h"
#include "study/readings.h"

typedef struct saei_candidates {
    sae_context *context;
    sae_clusters *clusters;
    uint32_t *order; /* [clusters] largest score first */
    double *score; /* [clusters] in that order: the smallest over the bad conditions of the merged rise beyond
                      every control */
    double **mean; /* [conditions][F] mean activation of every latent, before merging */
    size_t n_conditions, n_latents;
} saei_candidates;

/* Chooses at most `wanted` latents by the minimum over the bad conditions of the rise beyond every control,
   and beside these the first few by Δ in each condition, so that those that rise with the controls are seen
   and named; groups them, and merges the profiles of the readings. */
sae_status saei_candidates_new(saei_candidates **out, saei_readings *readings, const sae_model *model,
                               size_t wanted, sae_error *err);
void saei_candidates_free(saei_candidates *candidates);

size_t saei_candidates_count(const saei_candidates *candidates);

/* By score; the first latent is the lead. */
sae_cluster saei_candidates_at(const saei_candidates *candidates, size_t i);

/* Replaces the profiles: the first latent of each cluster has what the cluster does, in its own units, and
   the others never fire. So every analysis of latents is one of clusters, too. */
sae_status saei_merge_profiles(saei_readings *readings, const sae_clusters *clusters, size_t n_latents,
                               sae_error *err);

#endif
