#include "base/memory.h"
#include "study/candidates.h"

#include <math.h>

/* weight [F] of each latent in its place [F]: 1 in its own, or what it adds to the lead of its cluster. */
static void fill_places(double *weight, uint32_t *place, const sae_clusters *clusters, size_t F)
{
    for (size_t j = 0; j < F; j++) {
        weight[j] = 1;
        place[j] = (uint32_t)j;
    }
    for (size_t c = 0; c < clusters->n; c++) {
        size_t lead = clusters->ptr[c];
        for (size_t m = lead + 1; m < clusters->ptr[c + 1]; m++) {
            place[clusters->latent[m]] = clusters->latent[lead];
            weight[clusters->latent[m]] =
                clusters->weight[lead] > 0 ? clusters->weight[m] / clusters->weight[lead] : 0;
        }
    }
}

static sae_status merge(saei_profile **profile, const double *weight, const uint32_t *place, sae_error *err)
{
    saei_profile *p = *profile, *merged;
    sae_context *context = p->context;
    uint64_t n = p->ptr[p->n_latents], k = 0;
    saei_firing *firings;
    double *one = NULL;
    sae_status status = saei_alloc(&firings, context, (size_t)n, sizeof *firings, err);
    if (status == SAE_OK)
        status = saei_alloc(&one, context, p->n_prompts, sizeof *one, err);
    if (status != SAE_OK)
        goto done;
    for (size_t i = 0; i < p->n_prompts; i++)
        one[i] = 1;
    for (size_t j = 0; j < p->n_latents; j++)
        for (uint64_t i = p->ptr[j]; i < p->ptr[j + 1]; i++)
            firings[k++] =
                (saei_firing){place[j], p->prompt[i], weight[j] * p->activation[i], p->frequency[i]};
    status = saei_profile_new(&merged, context, firings, n, p->id, one, p->n_prompts, p->n_latents, err);
    if (status != SAE_OK)
        goto done;
    /* Members may fire on the same rows: the sum is an upper bound of the fraction on which one does. */
    for (uint64_t i = 0; i < merged->ptr[merged->n_latents]; i++)
        merged->frequency[i] = fmin(merged->frequency[i], 1);
    saei_profile_free(p);
    *profile = merged;
done:
    saei_free(context, one);
    saei_free(context, firings);
    return status;
}

sae_status saei_merge_profiles(saei_readings *readings, const sae_clusters *clusters, size_t n_latents,
                               sae_error *err)
{
    sae_context *context = readings->context;
    if (clusters->n_members == clusters->n)
        return SAE_OK;
    double *weight;
    uint32_t *place = NULL;
    sae_status status = saei_alloc(&weight, context, n_latents, sizeof *weight, err);
    if (status == SAE_OK)
        status = saei_alloc(&place, context, n_latents, sizeof *place, err);
    if (status == SAE_OK)
        fill_places(weight, place, clusters, n_latents);
    for (size_t i = 0; status == SAE_OK && i < readings->n; i++)
        status = merge(&readings->of[i].profile, weight, place, err);
    saei_free(context, place);
    saei_free(context, weight);
    return status;
}
