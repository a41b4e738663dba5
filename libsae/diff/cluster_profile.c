#include "base/memory.h"
#include "diff/clusters.h"

#include <math.h>

static size_t list_firings(saei_firing *firings, const saei_profile *profile, const sae_clusters *clusters)
{
    size_t n = 0;
    for (size_t c = 0; c < clusters->n; c++)
        for (size_t m = clusters->ptr[c]; m < clusters->ptr[c + 1]; m++) {
            uint32_t j = clusters->latent[m];
            for (uint64_t i = profile->ptr[j]; clusters->weight[m] > 0 && i < profile->ptr[j + 1]; i++)
                firings[n++] =
                    (saei_firing){(uint32_t)c, profile->prompt[i],
                                  clusters->weight[m] * profile->activation[i], profile->frequency[i]};
        }
    return n;
}

sae_status saei_profile_of_clusters(saei_profile **out, const saei_profile *profile,
                                    const sae_clusters *clusters, sae_error *err)
{
    *out = NULL;
    sae_context *context = profile->context;
    size_t most = 0;
    for (size_t m = 0; m < clusters->n_members; m++)
        most += (size_t)(profile->ptr[clusters->latent[m] + 1] - profile->ptr[clusters->latent[m]]);
    saei_firing *firings = NULL;
    double *one = NULL;
    sae_status status = saei_alloc(&firings, context, most, sizeof *firings, err);
    if (status == SAE_OK)
        status = saei_alloc(&one, context, profile->n_prompts, sizeof *one, err);
    if (status != SAE_OK)
        goto done;
    for (size_t p = 0; p < profile->n_prompts; p++)
        one[p] = 1;
    size_t n = list_firings(firings, profile, clusters);
    status =
        saei_profile_new(out, context, firings, n, profile->id, one, profile->n_prompts, clusters->n, err);
    for (uint64_t i = 0; status == SAE_OK && i < (*out)->ptr[clusters->n]; i++)
        (*out)->frequency[i] = fmin((*out)->frequency[i], 1);
done:
    saei_free(context, one);
    saei_free(context, firings);
    return status;
}
