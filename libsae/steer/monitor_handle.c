#include "base/error.h"
#include "base/memory.h"
#include "steer/monitor.h"

#include <math.h>
#include <string.h>

sae_status saei_monitor_alloc(sae_monitor **out, sae_context *context, size_t n, size_t runs, sae_error *err)
{
    *out = NULL;
    sae_monitor *monitor;
    sae_status status = saei_alloc(&monitor, context, 1, sizeof *monitor, err);
    if (status != SAE_OK)
        return status;
    monitor->context = context;
    monitor->n = n;
    monitor->controls.runs = runs;
    status = saei_alloc(&monitor->latent, context, n, sizeof *monitor->latent, err);
    if (status == SAE_OK)
        status = saei_alloc(&monitor->weight, context, n, sizeof *monitor->weight, err);
    if (status == SAE_OK)
        status = saei_alloc(&monitor->run, context, runs, sizeof *monitor->run, err);
    if (status != SAE_OK) {
        sae_monitor_free(monitor);
        return status;
    }
    *out = monitor;
    return SAE_OK;
}

void sae_monitor_free(sae_monitor *monitor)
{
    if (monitor == NULL)
        return;
    for (size_t i = 0; monitor->run != NULL && i < monitor->controls.runs; i++)
        saei_free(monitor->context, monitor->run[i].name);
    saei_free(monitor->context, monitor->run);
    saei_free(monitor->context, monitor->where);
    saei_free(monitor->context, monitor->group);
    saei_free(monitor->context, monitor->weight);
    saei_free(monitor->context, monitor->latent);
    saei_free(monitor->context, monitor);
}

sae_status saei_monitor_check_model(const sae_monitor *monitor, const sae_model *model, sae_error *err)
{
    char identity[SAEI_IDENTITY_BYTES];
    saei_model_identity(identity, model);
    /* The file of a monitor may claim any latent for any model. */
    if (strcmp(identity, monitor->model) != 0 || monitor->latent[monitor->n - 1] >= sae_model_latents(model))
        return saei_fail(
            err, SAE_E_MISMATCH,
            "the monitor was fitted on the model %s, this one is %s; its latents are others: fit a "
            "monitor on this model",
            monitor->model, identity);
    return SAE_OK;
}

const char *sae_monitor_weighting_name(sae_monitor_weighting weighting)
{
    static const char *const names[] = {"scaled", "equal", "discriminant"};
    return (size_t)weighting < sizeof names / sizeof names[0] ? names[weighting] : NULL;
}

sae_monitor_controls sae_monitor_controls_of(const sae_monitor *monitor)
{
    return monitor->controls;
}

size_t sae_monitor_latents(const sae_monitor *monitor)
{
    return monitor->n;
}

uint32_t sae_monitor_latent(const sae_monitor *monitor, size_t i)
{
    return monitor->latent[i];
}

double sae_monitor_weight(const sae_monitor *monitor, size_t i)
{
    return monitor->weight[i];
}

sae_monitor_weighting sae_monitor_weighting_of(const sae_monitor *monitor)
{
    return monitor->weighting;
}

const char *sae_monitor_where(const sae_monitor *monitor)
{
    return monitor->where;
}

const char *sae_monitor_group(const sae_monitor *monitor)
{
    return monitor->group;
}

double sae_monitor_dump_threshold(const sae_monitor *monitor, size_t prompts)
{
    const sae_monitor_controls *controls = &monitor->controls;
    return controls->mean + saei_monitor_margin(controls, prompts, controls->false_alarms);
}
