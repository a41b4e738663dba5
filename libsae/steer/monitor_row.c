#include "base/error.h"
#include "base/memory.h"
#include "model/latent_row.h"
#include "steer/monitor.h"

#include <math.h>

struct sae_monitor_workspace {
    const sae_monitor *monitor;
    sae_context *context;
    size_t d;
    saei_latent_row *row;
    float *value; /* [latents of the monitor] */
};

sae_status sae_monitor_workspace_new(sae_monitor_workspace **out, const sae_monitor *monitor,
                                     const sae_model *model, sae_error *err)
{
    *out = NULL;
    sae_monitor_workspace *workspace;
    sae_status status = saei_monitor_check_model(monitor, model, err);
    if (status == SAE_OK)
        status = saei_alloc(&workspace, monitor->context, 1, sizeof *workspace, err);
    if (status != SAE_OK)
        return status;
    workspace->monitor = monitor;
    workspace->context = monitor->context;
    workspace->d = sae_model_dim(model);
    status = saei_alloc(&workspace->value, monitor->context, monitor->n, sizeof *workspace->value, err);
    if (status == SAE_OK)
        status = saei_latent_row_new(&workspace->row, model, err);
    if (status != SAE_OK) {
        sae_monitor_workspace_free(workspace);
        return status;
    }
    *out = workspace;
    return SAE_OK;
}

void sae_monitor_workspace_free(sae_monitor_workspace *workspace)
{
    if (workspace == NULL)
        return;
    saei_latent_row_free(workspace->row);
    saei_free(workspace->context, workspace->value);
    saei_free(workspace->context, workspace);
}

sae_status sae_monitor_row(double *score, sae_monitor_workspace *workspace, const float *x, sae_error *err)
{
    const sae_monitor *monitor = workspace->monitor;
    for (size_t i = 0; i < workspace->d; i++)
        if (!isfinite(x[i]))
            return saei_fail(err, SAE_E_NONFINITE, "number %zu of the row is %g; leave such rows out", i,
                             (double)x[i]);
    saei_latent_row_read(workspace->value, workspace->row, monitor->latent, monitor->n, x);
    double sum = 0;
    for (size_t i = 0; i < monitor->n; i++)
        sum += monitor->weight[i] * (double)workspace->value[i];
    *score = sum;
    return SAE_OK;
}
