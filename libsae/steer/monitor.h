/* The inside of a monitor. */
#ifndef SAEI_MONITOR_H
#define SAEI_MONITOR_H

#include "model/identity.h"
#include "sae/monitor.h"
#include "steer/prompt_latents.h"

typedef struct saei_monitor_run {
    char *name;
    double score;
} saei_monitor_run;

struct sae_monitor {
    sae_context *context;
    size_t n;
    uint32_t *latent; /* [n], ascending */
    double *weight;   /* [n] */
    sae_monitor_weighting weighting;
    char model[SAEI_IDENTITY_BYTES];
    char *group, *where; /* where NULL: all rows */
    sae_monitor_controls controls;
    saei_monitor_run *run; /* [controls.runs] */
};

/* With room for n latents and `runs` controls, to be filled. */
sae_status saei_monitor_alloc(sae_monitor **out, sae_context *context, size_t n, size_t runs, sae_error *err);

/* Fails unless the model is the one that the monitor was fitted on. */
sae_status saei_monitor_check_model(const sae_monitor *monitor, const sae_model *model, sae_error *err);

/* w [n] from the covariance within control runs S [n, n], which is overwritten, and, for the discriminant,
   delta [n] = mean of the bad − mean of the controls. */
sae_status saei_monitor_weigh(double *w, double *S, const double *delta, size_t n,
                              sae_monitor_weighting weighting, sae_error *err);

/* Above the mean of the controls by this much, a dump of `prompts` prompts alarms. */
double saei_monitor_margin(const sae_monitor_controls *controls, size_t prompts, double false_alarms);

/* A prompt of a control and its score. Over ids with one score for each run. */
typedef struct saei_prompt_score {
    double id, score;
} saei_prompt_score;

/* The smallest score that at most a share of `false_alarms` of new prompts exceeds. Reorders scores [n].
   SAE_E_ARGUMENT: too few prompts for the rate. */
sae_status saei_monitor_prompt_threshold(double *out, saei_prompt_score *scores, size_t n,
                                         double false_alarms, sae_error *err);

/* runs, mean and run_sd of the scores of run [n]. */
void saei_monitor_run_moments(sae_monitor_controls *controls, const saei_monitor_run *run, size_t n);

#endif
