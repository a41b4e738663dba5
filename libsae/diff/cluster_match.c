#include "base/memory.h"
#include "diff/clusters.h"
#include "model/nearest_latent.h"

static bool is_member(const sae_clusters *clusters, size_t c, uint32_t latent)
{
    for (size_t m = clusters->ptr[c]; m < clusters->ptr[c + 1]; m++)
        if (clusters->latent[m] == latent)
            return true;
    return false;
}

sae_status sae_clusters_match(sae_match *out, const sae_clusters *clusters, const sae_model *model,
                              const sae_model *other, sae_progress_fn progress, void *user, sae_error *err)
{
    saei_nearest *there;
    size_t n = clusters->n;
    sae_status status = saei_alloc(&there, clusters->context, saei_mul(2, n), sizeof *there, err);
    if (status == SAE_OK)
        status = saei_nearest_both_ways(there, there + n, clusters->direction, n, model, other, progress,
                                        user, err);
    for (size_t c = 0; status == SAE_OK && c < n; c++)
        out[c] = saei_match_of(there[c], is_member(clusters, c, there[n + c].latent));
    saei_free(clusters->context, there);
    return status;
}
