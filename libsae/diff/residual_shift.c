#include "diff/residual_shift.h"
#include "base/memory.h"
#include "model/row_norm.h"

struct saei_residual_mean {
    sae_context *context;
    const saei_groups *groups;
    const double *row_weight;
    size_t d;
    sae_row_norm row_norm;
    float *z;      /* [d] the row at hand, normalised; NULL: rows are taken as they are */
    double *scale; /* [groups] 1 / (n · Σ of the weights of the group's rows) */
    double *mean;  /* [d] */
};

sae_status saei_residual_mean_observe(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    saei_residual_mean *mean = user;
    for (size_t r = 0; r < block->x.rows; r++) {
        uint64_t row = block->first + r;
        double weight = mean->scale[mean->groups->of_row[row]];
        if (mean->row_weight != NULL)
            weight *= mean->row_weight[row];
        const float *x = block->x.data + r * block->x.stride;
        if (mean->z != NULL) {
            saei_row_normalise(mean->z, x, mean->d, mean->row_norm);
            x = mean->z;
        }
        for (size_t i = 0; i < mean->d; i++)
            mean->mean[i] += weight * (double)x[i];
    }
    return SAE_OK;
}

sae_status saei_residual_mean_new(saei_residual_mean **out, sae_context *context, const saei_groups *groups,
                                  const double *row_weight, size_t d, sae_row_norm norm, sae_error *err)
{
    *out = NULL;
    saei_residual_mean *mean;
    sae_status status = saei_alloc(&mean, context, 1, sizeof *mean, err);
    if (status != SAE_OK)
        return status;
    *mean = (saei_residual_mean){
        .context = context, .groups = groups, .row_weight = row_weight, .d = d, .row_norm = norm};
    status = saei_alloc(&mean->scale, context, groups->n, sizeof *mean->scale, err);
    if (status == SAE_OK)
        status = saei_alloc(&mean->mean, context, d, sizeof *mean->mean, err);
    if (status == SAE_OK && norm != SAE_NO_ROW_NORM)
        status = saei_alloc(&mean->z, context, d, sizeof *mean->z, err);
    if (status != SAE_OK) {
        saei_residual_mean_free(mean);
        return status;
    }
    saei_groups_weigh(mean->scale, groups, row_weight);
    for (size_t g = 0; g < groups->n; g++)
        mean->scale[g] = 1 / ((double)groups->n * mean->scale[g]);
    *out = mean;
    return SAE_OK;
}

const double *saei_residual_mean_get(const saei_residual_mean *mean)
{
    return mean->mean;
}

void saei_residual_mean_free(saei_residual_mean *mean)
{
    if (mean == NULL)
        return;
    saei_free(mean->context, mean->z);
    saei_free(mean->context, mean->mean);
    saei_free(mean->context, mean->scale);
    saei_free(mean->context, mean);
}
