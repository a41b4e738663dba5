#include "base/memory.h"
#include "base/parallel.h"
#include "diff/clusters.h"
#include "model/model.h"
#include "num/rows.h"

#include <math.h>

/* A latent whose variance is below this fraction of its squared mean does not vary: what is left is the
   rounding of its float32 activations. */
static const double CONSTANT = 1e-15;

typedef struct alikeness_job {
    const saei_alikeness *out;
    const sae_model *model;
    const saei_profile *const *profiles;
    const uint32_t *latents;
    size_t n_profiles, n;
    double *mean, *spread; /* [n] mean, and Σ (a − mean)² */
    double *norm;          /* [n] of the decoder rows */
} alikeness_job;

/* Σ (a_i − m_i)(a_j − m_j) over the prompts of one profile; most prompts have neither. Products of the
   deviations, since sums of squares cancel where a latent hardly varies. */
static double co_deviation(const saei_profile *profile, uint32_t i, double m_i, uint32_t j, double m_j)
{
    uint64_t a = profile->ptr[i], a_end = profile->ptr[i + 1], b = profile->ptr[j],
             b_end = profile->ptr[j + 1];
    double sum = 0;
    size_t neither = profile->n_prompts;
    for (; a < a_end || b < b_end; neither--) {
        uint32_t p = a < a_end ? profile->prompt[a] : UINT32_MAX,
                 q = b < b_end ? profile->prompt[b] : UINT32_MAX;
        double with_i = p <= q ? profile->activation[a++] : 0, with_j = q <= p ? profile->activation[b++] : 0;
        sum += (with_i - m_i) * (with_j - m_j);
    }
    return sum + (double)neither * m_i * m_j;
}

static double co_deviations(const alikeness_job *job, size_t i, size_t j)
{
    double sum = 0;
    for (size_t c = 0; c < job->n_profiles; c++)
        sum += co_deviation(job->profiles[c], job->latents[i], job->mean[i], job->latents[j], job->mean[j]);
    return sum;
}

static void describe_latent(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const alikeness_job *job = arg;
    uint32_t latent = job->latents[i];
    size_t d = job->model->d, prompts = 0;
    double sum = 0;
    for (size_t c = 0; c < job->n_profiles; c++) {
        const saei_profile *profile = job->profiles[c];
        prompts += profile->n_prompts;
        for (uint64_t e = profile->ptr[latent]; e < profile->ptr[latent + 1]; e++)
            sum += profile->activation[e];
    }
    job->mean[i] = sum / (double)prompts;
    job->spread[i] = co_deviations(job, i, i);
    if (job->spread[i] <= CONSTANT * job->mean[i] * sum)
        job->spread[i] = 0;
    job->norm[i] = sqrt(saei_row_norm2(job->model->W_dec + latent * d, d));
}

/* Row i from the diagonal on, and the same column. */
static void compare_latent(void *arg, size_t i, unsigned worker)
{
    (void)worker;
    const alikeness_job *job = arg;
    const sae_model *model = job->model;
    const float *d_i = model->W_dec + job->latents[i] * model->d;
    size_t n = job->n;
    for (size_t j = i; j < n; j++) {
        double norms = job->norm[i] * job->norm[j], spreads = sqrt(job->spread[i]) * sqrt(job->spread[j]);
        double dot = (double)saei_row_dot(d_i, model->W_dec + job->latents[j] * model->d, model->d);
        double cosine = i == j ? 1 : norms > 0 ? dot / norms : 0;
        double correlation = i == j ? 1 : spreads > 0 ? co_deviations(job, i, j) / spreads : 0;
        job->out->cosine[i * n + j] = job->out->cosine[j * n + i] = cosine;
        job->out->correlation[i * n + j] = job->out->correlation[j * n + i] = correlation;
    }
}

sae_status saei_alikeness_fill(saei_alikeness *out, const sae_model *model,
                               const saei_profile *const *profiles, size_t n_profiles,
                               const uint32_t *latents, size_t n, sae_error *err)
{
    alikeness_job job = {out, model, profiles, latents, n_profiles, n, NULL, NULL, NULL};
    sae_status status = saei_alloc(&job.mean, model->context, saei_mul(3, n), sizeof *job.mean, err);
    if (status != SAE_OK)
        return status;
    job.spread = job.mean + n;
    job.norm = job.spread + n;
    saei_parallel_for(model->context, n, describe_latent, &job);
    saei_parallel_for(model->context, n, compare_latent, &job);
    saei_free(model->context, job.mean);
    return SAE_OK;
}
