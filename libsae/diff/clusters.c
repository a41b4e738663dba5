#include "diff/clusters.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/linkage.h"
#include "model/model.h"
#include "num/rows.h"

#include <math.h>

static sae_status check_candidates(const sae_model *model, const uint32_t *latents, size_t n,
                                   double threshold, sae_error *err)
{
    if (!(threshold >= -1 && threshold <= 1))
        return saei_fail(err, SAE_E_ARGUMENT, "cluster threshold %g: must lie between -1 and 1", threshold);
    if (n > SAEI_CANDIDATES_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%zu candidates for clusters: at most %d", n,
                         SAEI_CANDIDATES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (latents[i] >= model->n_latents)
            return saei_fail(err, SAE_E_ARGUMENT, "candidate %u: the model has latents 0 to %zu", latents[i],
                             model->n_latents - 1);
        for (size_t j = 0; j < i; j++)
            if (latents[j] == latents[i])
                return saei_fail(err, SAE_E_ARGUMENT, "candidate %u comes twice: list it once", latents[i]);
    }
    return SAE_OK;
}

static sae_status alloc_clusters(sae_clusters *clusters, size_t n, sae_error *err)
{
    sae_context *context = clusters->context;
    sae_status status = saei_alloc(&clusters->ptr, context, saei_add(n, 1), sizeof *clusters->ptr, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters->latent, context, n, sizeof *clusters->latent, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters->weight, context, n, sizeof *clusters->weight, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters->direction, context, saei_mul(n, clusters->d),
                            sizeof *clusters->direction, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters->cosine, context, n, sizeof *clusters->cosine, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters->correlation, context, n, sizeof *clusters->correlation, err);
    return status;
}

/* The mean of pairs [n, n] over the pairs of candidates in the cluster that begins with `first`. */
static double mean_of_pairs(const double *pairs, const uint32_t *cluster, size_t n, size_t first)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = first; i < n; i++)
        for (size_t j = i + 1; cluster[i] == first && j < n; j++)
            if (cluster[j] == first) {
                sum += pairs[i * n + j];
                count++;
            }
    return count > 0 ? sum / (double)count : (double)NAN;
}

/* cluster [n]: the first candidate of each candidate's cluster. */
static void list_members(sae_clusters *clusters, const uint32_t *cluster, const uint32_t *latents, size_t n,
                         const saei_alikeness *alike)
{
    for (size_t first = 0; first < n; first++) {
        if (cluster[first] != first)
            continue;
        for (size_t i = first; i < n; i++)
            if (cluster[i] == first)
                clusters->latent[clusters->n_members++] = latents[i];
        clusters->cosine[clusters->n] = mean_of_pairs(alike->cosine, cluster, n, first);
        clusters->correlation[clusters->n] = mean_of_pairs(alike->correlation, cluster, n, first);
        clusters->ptr[++clusters->n] = clusters->n_members;
    }
}

/* Σ of the activations of a latent over all prompts of all profiles, which the mean is proportional to. */
static double total_activation(const saei_profile *const *profiles, size_t n_profiles, uint32_t latent)
{
    double sum = 0;
    for (size_t c = 0; c < n_profiles; c++)
        for (uint64_t i = profiles[c]->ptr[latent]; i < profiles[c]->ptr[latent + 1]; i++)
            sum += profiles[c]->activation[i];
    return sum;
}

/* u = Σ_j share_j d_j, of unit length; a cluster that never fires points along its first member. */
static void direct(sae_clusters *clusters, size_t c, const sae_model *model,
                   const saei_profile *const *profiles, size_t n_profiles)
{
    size_t d = clusters->d, first = clusters->ptr[c], end = clusters->ptr[c + 1];
    float *u = clusters->direction + c * d;
    double total = 0;
    for (size_t m = first; m < end; m++)
        total += clusters->weight[m] = total_activation(profiles, n_profiles, clusters->latent[m]);
    for (size_t m = first; m < end; m++) {
        double share = total > 0 ? clusters->weight[m] / total : m == first;
        saei_row_axpy(u, (float)share, model->W_dec + clusters->latent[m] * d, d);
    }
    double norm = sqrt(saei_row_norm2(u, d));
    for (size_t i = 0; i < d; i++)
        u[i] = norm > 0 ? (float)((double)u[i] / norm) : 0;
    for (size_t m = first; m < end; m++)
        clusters->weight[m] = fmax(0, (double)saei_row_dot(model->W_dec + clusters->latent[m] * d, u, d));
}

static sae_status group(sae_clusters *clusters, const saei_alikeness *alike, const uint32_t *latents,
                        size_t n, double threshold, sae_error *err)
{
    sae_context *context = clusters->context;
    double *similarity = NULL;
    uint32_t *cluster = NULL;
    sae_status status = saei_alloc(&similarity, context, saei_mul(n, n), sizeof *similarity, err);
    if (status == SAE_OK)
        status = saei_alloc(&cluster, context, n, sizeof *cluster, err);
    for (size_t i = 0; status == SAE_OK && i < n * n; i++)
        similarity[i] = fmin(alike->cosine[i], alike->correlation[i]);
    if (status == SAE_OK)
        status = saei_average_linkage(cluster, similarity, n, threshold, context, err);
    if (status == SAE_OK)
        list_members(clusters, cluster, latents, n, alike);
    saei_free(context, cluster);
    saei_free(context, similarity);
    return status;
}

sae_status saei_clusters_new(sae_clusters **out, const sae_model *model, const saei_profile *const *profiles,
                             size_t n_profiles, const uint32_t *latents, size_t n, double threshold,
                             sae_error *err)
{
    *out = NULL;
    sae_context *context = model->context;
    sae_clusters *clusters = NULL;
    saei_alikeness alike = {NULL, NULL};
    sae_status status = check_candidates(model, latents, n, threshold, err);
    if (status == SAE_OK)
        status = saei_alloc(&alike.cosine, context, saei_mul(2, saei_mul(n, n)), sizeof *alike.cosine, err);
    if (status == SAE_OK)
        status = saei_alloc(&clusters, context, 1, sizeof *clusters, err);
    if (status != SAE_OK)
        goto done;
    alike.correlation = alike.cosine + n * n;
    *clusters = (sae_clusters){.context = context, .d = model->d};
    status = alloc_clusters(clusters, n, err);
    if (status == SAE_OK)
        status = saei_alikeness_fill(&alike, model, profiles, n_profiles, latents, n, err);
    if (status == SAE_OK)
        status = group(clusters, &alike, latents, n, threshold, err);
    if (status != SAE_OK)
        goto done;
    for (size_t c = 0; c < clusters->n; c++)
        direct(clusters, c, model, profiles, n_profiles);
    *out = clusters;
    clusters = NULL;
done:
    sae_clusters_free(clusters);
    saei_free(context, alike.cosine);
    return status;
}

void sae_clusters_free(sae_clusters *clusters)
{
    if (clusters == NULL)
        return;
    saei_free(clusters->context, clusters->correlation);
    saei_free(clusters->context, clusters->cosine);
    saei_free(clusters->context, clusters->direction);
    saei_free(clusters->context, clusters->weight);
    saei_free(clusters->context, clusters->latent);
    saei_free(clusters->context, clusters->ptr);
    saei_free(clusters->context, clusters);
}

size_t sae_clusters_count(const sae_clusters *clusters)
{
    return clusters->n;
}

sae_cluster sae_clusters_at(const sae_clusters *clusters, size_t i)
{
    if (i >= clusters->n)
        return (sae_cluster){.cosine = NAN, .correlation = NAN};
    size_t first = clusters->ptr[i];
    return (sae_cluster){.n = clusters->ptr[i + 1] - first,
                         .latents = clusters->latent + first,
                         .weights = clusters->weight + first,
                         .direction = clusters->direction + i * clusters->d,
                         .cosine = clusters->cosine[i],
                         .correlation = clusters->correlation[i]};
}
