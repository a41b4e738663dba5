/* A dump scored by a monitor. */
#include "base/memory.h"
#include "steer/monitor.h"
#include "steer/monitor_result.h"

#include <math.h>

/* The rate at which a dump that lies so far above the mean of the controls just alarms. Never below 1e-12:
   no number of controls says more. */
static double rate_of(const sae_monitor_controls *controls, size_t prompts, double above)
{
    if (above < 0)
        return 1 - rate_of(controls, prompts, -above);
    double low = log(1e-12), high = log(0.5);
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (saei_monitor_margin(controls, prompts, exp(middle)) < above)
            high = middle;
        else
            low = middle;
    }
    return exp(high);
}

static void summarise(sae_monitor_summary *out, const sae_monitor *monitor, const saei_prompt_latents *read)
{
    const sae_monitor_controls *controls = &monitor->controls;
    double squares, n = (double)read->groups->n;
    out->prompts = read->groups->n;
    out->score = saei_prompt_scores_mean(&squares, read, monitor->weight);
    out->se = out->prompts > 1 ? sqrt(squares / (n - 1) / n) : NAN;
    out->threshold = sae_monitor_dump_threshold(monitor, out->prompts);
    out->p = rate_of(controls, out->prompts, out->score - controls->mean);
    out->alarm = out->score > out->threshold;
}

static void score_prompts(sae_monitor_result *result, const sae_monitor *monitor,
                          const saei_prompt_latents *read)
{
    for (size_t p = 0; p < read->groups->n; p++) {
        double score = saei_prompt_score_of(read, p, monitor->weight);
        bool alarm = score > monitor->controls.prompt_threshold;
        result->prompt[p] = (sae_monitor_prompt){read->groups->id[p], read->groups->rows[p], score, alarm};
        result->summary.rows += read->groups->rows[p];
        result->summary.prompt_alarms += alarm;
    }
}

sae_status sae_monitor_dump(sae_monitor_result **out, const sae_monitor *monitor, const sae_model *model,
                            const sae_dump *dump, const char *group, sae_progress_fn progress, void *user,
                            sae_error *err)
{
    *out = NULL;
    saei_prompt_latents read;
    sae_status status = saei_monitor_check_model(monitor, model, err);
    if (status == SAE_OK)
        status = saei_prompt_latents_read(&read, model, dump, group != NULL ? group : monitor->group,
                                          monitor->latent, monitor->n, progress, user, err);
    if (status != SAE_OK)
        return status;
    status = saei_monitor_result_alloc(out, monitor->context, read.groups->n, err);
    if (status == SAE_OK) {
        summarise(&(*out)->summary, monitor, &read);
        score_prompts(*out, monitor, &read);
    }
    saei_prompt_latents_free(&read);
    return status;
}
