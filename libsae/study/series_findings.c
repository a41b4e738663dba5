/* Doses, triggers and trajectories: conditions of a study that belong together in an order or in pairs. */
#include "base/memory.h"
#include "diff/dose_response.h"
#include "diff/trajectory.h"
#include "diff/trigger.h"
#include "study/findings.h"

#include <math.h>

static const saei_profile *profile_of(const sae_findings *findings, size_t condition)
{
    return findings->readings->of[condition].profile;
}

static sae_status find_dose_controls(saei_dose_series *doses, const sae_findings *findings, sae_error *err)
{
    const sae_study *study = findings->study;
    size_t n = study->n_conditions;
    sae_status status = saei_alloc(&doses->is_control, findings->context, n, 1, err);
    if (status != SAE_OK)
        return status;
    doses->control_dose = (double)INFINITY;
    for (size_t i = 0; i < n; i++)
        if (study->conditions[i].role == SAE_ROLE_CONTROL)
            doses->control_dose = fmin(doses->control_dose, study->conditions[i].dose);
    for (size_t i = n; i-- > 0;) {
        doses->is_control[i] =
            study->conditions[i].role == SAE_ROLE_CONTROL && study->conditions[i].dose == doses->control_dose;
        if (doses->is_control[i])
            doses->first_control = i;
        doses->n_controls += doses->is_control[i];
    }
    return SAE_OK;
}

/* Above the controls' dose, the first condition of each. */
static sae_status order_doses(saei_dose_series *doses, const sae_findings *findings, sae_error *err)
{
    const sae_study *study = findings->study;
    size_t n = study->n_conditions;
    sae_status status = find_dose_controls(doses, findings, err);
    if (status != SAE_OK || doses->n_controls == 0)
        return status;
    status = saei_alloc(&doses->condition, findings->context, n, sizeof *doses->condition, err);
    double last = doses->control_dose;
    while (status == SAE_OK) {
        size_t next = n;
        for (size_t i = 0; i < n; i++) {
            double dose = study->conditions[i].dose;
            if (dose > last && (next == n || dose < study->conditions[next].dose))
                next = i;
        }
        if (next == n)
            break;
        doses->condition[doses->n++] = next;
        last = study->conditions[next].dose;
    }
    return status;
}

/* A series of the study as the analyses take it. */
typedef struct series_parts {
    const saei_profile **profiles; /* [n] */
    double *at;                    /* [n] */
    bool *paired;                  /* [n] with the control */
    const saei_profile **runs;     /* [n_runs] whose mean the control is */
    size_t n_runs;
    saei_profile *control; /* that mean; NULL: the base is the control */
} series_parts;

static sae_status alloc_parts(series_parts *parts, sae_context *context, size_t n, sae_error *err)
{
    *parts = (series_parts){0};
    sae_status status = saei_alloc(&parts->profiles, context, n, sizeof *parts->profiles, err);
    if (status == SAE_OK)
        status = saei_alloc(&parts->at, context, n, sizeof *parts->at, err);
    if (status == SAE_OK)
        status = saei_alloc(&parts->paired, context, n, 1, err);
    return status;
}

/* The conditions in is [conditions] become the control, or the base where there is none. */
static sae_status take_control(series_parts *parts, const sae_findings *findings, const bool *is,
                               sae_error *err)
{
    sae_status status =
        saei_alloc(&parts->runs, findings->context, findings->readings->n, sizeof *parts->runs, err);
    for (size_t i = 0; status == SAE_OK && i < findings->readings->n; i++)
        if (is[i])
            parts->runs[parts->n_runs++] = profile_of(findings, i);
    return status == SAE_OK && parts->n_runs > 0
               ? saei_readings_mean(&parts->control, findings->readings, is, err)
               : status;
}

static void release_parts(series_parts *parts, sae_context *context)
{
    saei_profile_free(parts->control);
    saei_free(context, parts->runs);
    saei_free(context, parts->paired);
    saei_free(context, parts->at);
    saei_free(context, parts->profiles);
}

static saei_series series_of(const sae_findings *findings, const series_parts *parts, size_t n)
{
    const sae_study_options *options = &findings->options;
    const saei_profile *base = profile_of(findings, saei_study_base(findings->study));
    return (saei_series){.control = parts->control != NULL ? parts->control : base,
                         .controls = parts->n_runs > 0 ? parts->runs : NULL,
                         .n_controls = parts->n_runs,
                         .profiles = parts->profiles,
                         .at = parts->at,
                         .paired = parts->paired,
                         .n = n,
                         .latents = findings->leads,
                         .n_latents = saei_findings_n(findings),
                         .alpha = options->alpha,
                         .permutations = options->permutations,
                         .seed = options->seed,
                         .progress = options->progress,
                         .progress_user = options->progress_user};
}

/* rate, trials [doses + 1]: the control first. */
static void fill_behaviour(double *rate, uint64_t *trials, const sae_findings *findings)
{
    const saei_dose_series *doses = &findings->doses;
    for (size_t k = 0; k <= doses->n; k++) {
        const sae_condition *condition =
            &findings->study->conditions[k == 0 ? doses->first_control : doses->condition[k - 1]];
        rate[k] = condition->behaviour;
        trials[k] = condition->samples;
    }
}

static bool all_counted(const uint64_t *trials, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (trials[k] == 0)
            return false;
    return true;
}

static sae_status respond(sae_findings *findings, const series_parts *parts, sae_error *err)
{
    sae_context *context = findings->context;
    const saei_dose_series *doses = &findings->doses;
    size_t n = saei_findings_n(findings);
    double *rate;
    uint64_t *trials = NULL;
    sae_status status = saei_alloc(&rate, context, doses->n + 1, sizeof *rate, err);
    if (status == SAE_OK)
        status = saei_alloc(&trials, context, doses->n + 1, sizeof *trials, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->dose_response, context, n, sizeof *findings->dose_response, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->dose_point, context, saei_mul(n, doses->n),
                            sizeof *findings->dose_point, err);
    if (status == SAE_OK) {
        fill_behaviour(rate, trials, findings);
        saei_doses input = {.series = series_of(findings, parts, doses->n),
                            .control_dose = doses->control_dose,
                            .rate = rate,
                            .trials = all_counted(trials, doses->n + 1) ? trials : NULL};
        status = saei_dose_response(findings->dose_response, findings->dose_point, &findings->behaviour,
                                    &input, err);
    }
    saei_free(context, trials);
    saei_free(context, rate);
    return status;
}

sae_status saei_find_doses(sae_findings *findings, sae_error *err)
{
    saei_dose_series *doses = &findings->doses;
    sae_status status = order_doses(doses, findings, err);
    if (status != SAE_OK || doses->n == 0 || saei_findings_n(findings) == 0)
        return status;
    series_parts parts;
    status = alloc_parts(&parts, findings->context, doses->n, err);
    if (status == SAE_OK)
        status = take_control(&parts, findings, doses->is_control, err);
    for (size_t k = 0; status == SAE_OK && k < doses->n; k++) {
        size_t condition = doses->condition[k];
        parts.profiles[k] = profile_of(findings, condition);
        parts.at[k] = findings->study->conditions[condition].dose;
        parts.paired[k] = saei_readings_paired_all(findings->readings, condition, doses->is_control);
    }
    if (status == SAE_OK)
        status = respond(findings, &parts, err);
    release_parts(&parts, findings->context);
    return status;
}

static const saei_profile *profile_named(const sae_findings *findings, const char *name)
{
    return name != NULL ? profile_of(findings, sae_study_find(findings->study, name)) : NULL;
}

/* The mean of the controls of a condition with whether they are paired with it, or the base. *own: to free.
 */
static sae_status reference_of(const saei_profile **out, saei_profile **own, bool *paired,
                               const sae_findings *findings, size_t condition, sae_error *err)
{
    *own = NULL;
    bool *is_control;
    size_t base = saei_study_base(findings->study);
    sae_status status = saei_alloc(&is_control, findings->context, findings->study->n_conditions, 1, err);
    if (status != SAE_OK)
        return status;
    if (saei_study_controls(is_control, findings->study, condition) > 0) {
        *paired = saei_readings_paired_all(findings->readings, condition, is_control);
        status = saei_readings_mean(own, findings->readings, is_control, err);
        *out = *own;
    } else {
        *paired = saei_readings_paired(findings->readings, condition, base);
        *out = profile_of(findings, base);
    }
    saei_free(findings->context, is_control);
    return status;
}

static sae_status respond_to_trigger(sae_findings *findings, size_t t, sae_error *err)
{
    const sae_study_trigger *names = &findings->study->triggers[t];
    const sae_study_options *options = &findings->options;
    size_t n = saei_findings_n(findings), without = sae_study_find(findings->study, names->without);
    bool has_before = names->before_with != NULL && names->before_without != NULL;
    saei_trigger trigger = {.after_with = profile_named(findings, names->with),
                            .after_without = profile_named(findings, names->without),
                            .before_with = has_before ? profile_named(findings, names->before_with) : NULL,
                            .before_without =
                                has_before ? profile_named(findings, names->before_without) : NULL,
                            .latents = findings->leads,
                            .n_latents = n,
                            .alpha = options->alpha,
                            .permutations = options->permutations,
                            .bootstrap = options->bootstrap,
                            .confidence = options->confidence,
                            .seed = options->seed,
                            .progress = options->progress,
                            .progress_user = options->progress_user};
    saei_profile *own;
    sae_status status =
        reference_of(&trigger.reference, &own, &trigger.reference_paired, findings, without, err);
    if (status == SAE_OK)
        status = saei_trigger_contrast(findings->trigger + t * n, &findings->matching[t], &trigger, err);
    saei_profile_free(own);
    return status;
}

sae_status saei_find_triggers(sae_findings *findings, sae_error *err)
{
    size_t n = saei_findings_n(findings), triggers = findings->study->n_triggers;
    sae_status status =
        saei_alloc(&findings->matching, findings->context, triggers, sizeof *findings->matching, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->trigger, findings->context, saei_mul(triggers, n),
                            sizeof *findings->trigger, err);
    for (size_t t = 0; status == SAE_OK && n > 0 && t < triggers; t++)
        status = respond_to_trigger(findings, t, err);
    return status;
}

/* The controls are those of the last condition: what it is to return to. */
static sae_status fill_steps(series_parts *parts, const sae_findings *findings,
                             const sae_study_trajectory *trajectory, sae_error *err)
{
    const saei_readings *readings = findings->readings;
    size_t base = saei_study_base(findings->study);
    size_t last = sae_study_find(findings->study, trajectory->conditions[trajectory->n - 1]);
    bool *is_control;
    sae_status status = saei_alloc(&is_control, findings->context, readings->n, 1, err);
    if (status != SAE_OK)
        return status;
    size_t n_controls = saei_study_controls(is_control, findings->study, last);
    for (size_t k = 0; k < trajectory->n; k++) {
        size_t condition = sae_study_find(findings->study, trajectory->conditions[k]);
        parts->profiles[k] = profile_of(findings, condition);
        parts->at[k] = trajectory->steps[k];
        parts->paired[k] = n_controls > 0 ? saei_readings_paired_all(readings, condition, is_control)
                                          : saei_readings_paired(readings, condition, base);
    }
    status = take_control(parts, findings, is_control, err);
    saei_free(findings->context, is_control);
    return status;
}

static sae_status find_trajectory(sae_findings *findings, size_t t, sae_error *err)
{
    const sae_study_trajectory *trajectory = &findings->study->trajectories[t];
    size_t n = saei_findings_n(findings);
    series_parts parts;
    sae_status status = alloc_parts(&parts, findings->context, trajectory->n, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->step[t], findings->context, saei_mul(n, trajectory->n),
                            sizeof(sae_series_point), err);
    if (status == SAE_OK)
        status = fill_steps(&parts, findings, trajectory, err);
    if (status == SAE_OK)
        status = saei_trajectory(findings->trajectory + t * n, findings->step[t],
                                 &(saei_steps){.series = series_of(findings, &parts, trajectory->n),
                                               .margin_share = 0.1,
                                               .bootstrap = findings->options.bootstrap,
                                               .confidence = findings->options.confidence},
                                 err);
    release_parts(&parts, findings->context);
    return status;
}

sae_status saei_find_trajectories(sae_findings *findings, sae_error *err)
{
    size_t n = saei_findings_n(findings), trajectories = findings->study->n_trajectories;
    sae_status status =
        saei_alloc(&findings->step, findings->context, trajectories, sizeof *findings->step, err);
    if (status == SAE_OK)
        status = saei_alloc(&findings->trajectory, findings->context, saei_mul(trajectories, n),
                            sizeof *findings->trajectory, err);
    for (size_t t = 0; status == SAE_OK && n > 0 && t < trajectories; t++)
        status = find_trajectory(findings, t, err);
    return status;
}
