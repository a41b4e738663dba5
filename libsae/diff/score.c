#include "diff/score.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void expand(double *dense, const saei_profile *profile, size_t latent)
{
    memset(dense, 0, profile->n_prompts * sizeof *dense);
    for (uint64_t i = profile->ptr[latent]; i < profile->ptr[latent + 1]; i++)
        dense[profile->prompt[i]] = profile->activation[i];
}

static size_t prompts_of(const saei_profile *profile)
{
    return profile != NULL ? profile->n_prompts : 0;
}

sae_status saei_custom_scores(double *score, sae_context *context, const saei_ranking_input *input,
                              const sae_rank_options *options, sae_error *err)
{
    const saei_profile *before = input->before, *after = input->after, *control = input->control;
    size_t n_before = before->n_prompts, n_after = after->n_prompts;
    double *dense;
    sae_status status = saei_alloc(
        &dense, context, saei_add(saei_add(n_before, n_after), prompts_of(control)), sizeof *dense, err);
    if (status != SAE_OK)
        return status;
    sae_latent_samples samples = {.paired = input->paired && (control == NULL || input->control_paired),
                                  .n_before = n_before,
                                  .n_after = n_after,
                                  .n_control = prompts_of(control),
                                  .before = dense,
                                  .after = dense + n_before,
                                  .control = control != NULL ? dense + n_before + n_after : NULL};
    for (size_t j = 0; j < before->n_latents; j++) {
        samples.latent = (uint32_t)j;
        expand(dense, before, j);
        expand(dense + n_before, after, j);
        if (control != NULL)
            expand(dense + n_before + n_after, control, j);
        score[j] = options->statistic(options->statistic_user, &samples);
    }
    saei_free(context, dense);
    return SAE_OK;
}

typedef struct sort_key {
    double key; /* ascending; 0 for NaN, which comes last */
    bool last;
    uint32_t latent;
} sort_key;

static int compare_keys(const void *a, const void *b)
{
    const sort_key *x = a, *y = b;
    if (x->last != y->last)
        return x->last ? 1 : -1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->latent > y->latent) - (x->latent < y->latent);
}

static double ascending_key(double score, sae_direction direction)
{
    return direction == SAE_RISING ? -score : direction == SAE_FALLING ? score : -fabs(score);
}

sae_status saei_order_scores(uint32_t *order, const double *score, size_t n, sae_direction direction,
                             sae_context *context, sae_error *err)
{
    sort_key *keys;
    sae_status status = saei_alloc(&keys, context, n, sizeof *keys, err);
    if (status != SAE_OK)
        return status;
    for (size_t j = 0; j < n; j++) {
        bool nan = isnan(score[j]);
        keys[j] = (sort_key){nan ? 0 : ascending_key(score[j], direction), nan, (uint32_t)j};
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; i < n; i++)
        order[i] = keys[i].latent;
    saei_free(context, keys);
    return SAE_OK;
}
