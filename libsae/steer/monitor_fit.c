/* A monitor from control dumps. Every dump is read once, for the means of the latents on its prompts; weights
   and thresholds follow from these. */
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "model/model.h"
#include "steer/monitor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sae_monitor_options_init(sae_monitor_options *options)
{
    *options =
        (sae_monitor_options){.size = sizeof *options, .weighting = SAE_MONITOR_SCALED, .false_alarms = 0.05};
}

typedef struct dumps {
    const sae_dump *const *dump;
    size_t n;
    saei_prompt_latents *latents; /* [n] */
} dumps;

typedef struct fit {
    const sae_model *model;
    sae_monitor_options options;
    dumps controls, bad;
    sae_monitor *monitor;
} fit;

static int by_index(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static sae_status check(const fit *f, const uint32_t *latents, size_t n, sae_error *err)
{
    const sae_monitor_options *o = &f->options;
    bool discriminant = o->weighting == SAE_MONITOR_DISCRIMINANT;
    if (!(o->false_alarms > 0 && o->false_alarms <= 0.5))
        return saei_fail(err, SAE_E_ARGUMENT, "a rate of false alarms of %g: give one above 0, 0.5 at most",
                         o->false_alarms);
    if (sae_monitor_weighting_name(o->weighting) == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%d is no weighting of a monitor", (int)o->weighting);
    if (n == 0 || n > SAE_MONITOR_LATENTS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%zu latents: a monitor has 1 to %d", n,
                         SAE_MONITOR_LATENTS_MAX);
    if (f->controls.n == 0 || f->controls.n > SAE_MONITOR_CONTROLS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%zu control dumps: a monitor is fitted on 1 to %d",
                         f->controls.n, SAE_MONITOR_CONTROLS_MAX);
    if (discriminant != (f->bad.n > 0))
        return saei_fail(err, SAE_E_ARGUMENT,
                         discriminant
                             ? "weights that tell bad from control need a bad dump"
                             : "bad dumps count only in the weighting 'discriminant'; leave them out");
    for (size_t i = 0; i < n; i++)
        if (latents[i] >= sae_model_latents(f->model))
            return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latents[i],
                             sae_model_latents(f->model) - 1);
    return SAE_OK;
}

static sae_status copy_latents(sae_monitor *monitor, const uint32_t *latents, sae_error *err)
{
    memcpy(monitor->latent, latents, monitor->n * sizeof *latents);
    qsort(monitor->latent, monitor->n, sizeof *latents, by_index);
    for (size_t i = 1; i < monitor->n; i++)
        if (monitor->latent[i] == monitor->latent[i - 1])
            return saei_fail(err, SAE_E_ARGUMENT, "latent %u is given twice", monitor->latent[i]);
    return SAE_OK;
}

static sae_status name_parts(fit *f, sae_error *err)
{
    sae_monitor *monitor = f->monitor;
    const char *group;
    monitor->weighting = f->options.weighting;
    monitor->controls.false_alarms = f->options.false_alarms;
    saei_model_identity(monitor->model, f->model);
    sae_status status = saei_prompt_column(&group, f->options.group, f->controls.dump[0], err);
    if (status == SAE_OK)
        status = saei_strdup(&monitor->group, monitor->context, group, err);
    if (status == SAE_OK && f->options.where != NULL)
        status = saei_strdup(&monitor->where, monitor->context, f->options.where, err);
    for (size_t i = 0; i < f->controls.n && status == SAE_OK; i++)
        status =
            saei_strdup(&monitor->run[i].name, monitor->context, sae_dump_name(f->controls.dump[i]), err);
    return status;
}

static sae_status read_dumps(fit *f, dumps *set, sae_error *err)
{
    sae_monitor *monitor = f->monitor;
    sae_status status = saei_alloc(&set->latents, monitor->context, set->n, sizeof *set->latents, err);
    for (size_t i = 0; i < set->n && status == SAE_OK; i++) {
        status = saei_prompt_latents_read(&set->latents[i], f->model, set->dump[i], monitor->group,
                                          monitor->latent, monitor->n, f->options.progress,
                                          f->options.progress_user, err);
        if (status == SAE_OK && set->latents[i].groups->n < 2)
            status =
                saei_fail(err, SAE_E_ARGUMENT, "%s: one prompt by the column %s; a monitor is fitted on more",
                          sae_dump_name(set->dump[i]), monitor->group);
    }
    return status;
}

static void free_dumps(dumps *set, sae_context *context)
{
    for (size_t i = 0; set->latents != NULL && i < set->n; i++)
        if (set->latents[i].context != NULL)
            saei_prompt_latents_free(&set->latents[i]);
    saei_free(context, set->latents);
}

/* mean [n] of a latent over prompts, then over dumps, times `factor`, is added to out [n]. */
static void add_means(double *out, const dumps *set, size_t n, double factor)
{
    for (size_t r = 0; r < set->n; r++) {
        const saei_prompt_latents *run = &set->latents[r];
        double share = factor / (double)set->n / (double)run->groups->n;
        for (size_t p = 0; p < run->groups->n; p++)
            for (size_t i = 0; i < n; i++)
                out[i] += share * run->mean[p * n + i];
    }
}

/* S [n, n]: covariance over the prompts of a control, pooled. center [n]: work. */
static void pooled_covariance(double *S, double *center, const dumps *controls, size_t n)
{
    double freedom = 0;
    for (size_t r = 0; r < controls->n; r++)
        freedom += (double)(controls->latents[r].groups->n - 1);
    for (size_t r = 0; r < controls->n; r++) {
        const saei_prompt_latents *run = &controls->latents[r];
        dumps one = {.n = 1, .latents = &controls->latents[r]};
        memset(center, 0, n * sizeof *center);
        add_means(center, &one, n, 1);
        for (size_t p = 0; p < run->groups->n; p++)
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++)
                    S[i * n + j] +=
                        (run->mean[p * n + i] - center[i]) * (run->mean[p * n + j] - center[j]) / freedom;
    }
}

static sae_status weigh(fit *f, sae_error *err)
{
    sae_monitor *monitor = f->monitor;
    size_t n = monitor->n;
    double *S = NULL, *center = NULL, *delta = NULL;
    sae_status status = saei_alloc(&S, monitor->context, saei_mul(n, n), sizeof *S, err);
    if (status == SAE_OK)
        status = saei_alloc(&center, monitor->context, n, sizeof *center, err);
    if (status == SAE_OK)
        status = saei_alloc(&delta, monitor->context, n, sizeof *delta, err);
    if (status == SAE_OK) {
        pooled_covariance(S, center, &f->controls, n);
        add_means(delta, &f->bad, n, 1);
        add_means(delta, &f->controls, n, -1);
        status = saei_monitor_weigh(monitor->weight, S, delta, n, monitor->weighting, err);
    }
    saei_free(monitor->context, delta);
    saei_free(monitor->context, center);
    saei_free(monitor->context, S);
    return status;
}

static void score_controls(fit *f)
{
    sae_monitor *monitor = f->monitor;
    sae_monitor_controls *c = &monitor->controls;
    double squares = 0, freedom = 0;
    c->prompts = SIZE_MAX;
    for (size_t r = 0; r < f->controls.n; r++) {
        double of_run;
        const saei_prompt_latents *run = &f->controls.latents[r];
        monitor->run[r].score = saei_prompt_scores_mean(&of_run, run, monitor->weight);
        squares += of_run;
        freedom += (double)(run->groups->n - 1);
        c->prompts = saei_min_size(c->prompts, run->groups->n);
    }
    saei_monitor_run_moments(c, monitor->run, f->controls.n);
    c->prompt_sd = sqrt(squares / freedom);
}

static sae_status prompt_threshold(fit *f, sae_error *err)
{
    sae_monitor *monitor = f->monitor;
    saei_prompt_score *scores;
    size_t n = 0, at = 0;
    for (size_t r = 0; r < f->controls.n; r++)
        n = saei_add(n, f->controls.latents[r].groups->n);
    sae_status status = saei_alloc(&scores, monitor->context, n, sizeof *scores, err);
    if (status != SAE_OK)
        return status;
    for (size_t r = 0; r < f->controls.n; r++) {
        const saei_prompt_latents *run = &f->controls.latents[r];
        for (size_t p = 0; p < run->groups->n; p++)
            scores[at++] =
                (saei_prompt_score){run->groups->id[p], saei_prompt_score_of(run, p, monitor->weight)};
    }
    status = saei_monitor_prompt_threshold(&monitor->controls.prompt_threshold, scores, n,
                                           monitor->controls.false_alarms, err);
    saei_free(monitor->context, scores);
    return status;
}

sae_status sae_monitor_fit(sae_monitor **out, const sae_model *model, const uint32_t *latents,
                           size_t n_latents, const sae_dump *const *controls, size_t n_controls,
                           const sae_dump *const *bad, size_t n_bad, const sae_monitor_options *options,
                           sae_error *err)
{
    *out = NULL;
    fit f = {.model = model, .controls = {controls, n_controls, NULL}, .bad = {bad, n_bad, NULL}};
    sae_monitor_options_init(&f.options);
    sae_status status = saei_options_read(&f.options, sizeof f.options, options, err);
    if (status == SAE_OK)
        status = check(&f, latents, n_latents, err);
    if (status == SAE_OK)
        status = saei_monitor_alloc(&f.monitor, model->context, n_latents, n_controls, err);
    if (status == SAE_OK)
        status = copy_latents(f.monitor, latents, err);
    if (status == SAE_OK)
        status = name_parts(&f, err);
    if (status == SAE_OK)
        status = read_dumps(&f, &f.controls, err);
    if (status == SAE_OK)
        status = read_dumps(&f, &f.bad, err);
    if (status == SAE_OK)
        status = weigh(&f, err);
    if (status == SAE_OK) {
        score_controls(&f);
        status = prompt_threshold(&f, err);
    }
    free_dumps(&f.controls, model->context);
    free_dumps(&f.bad, model->context);
    if (status != SAE_OK) {
        sae_monitor_free(f.monitor);
        return status;
    }
    *out = f.monitor;
    return SAE_OK;
}
