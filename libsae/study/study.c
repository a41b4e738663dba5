#include "study/study.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

void sae_condition_init(sae_condition *condition)
{
    *condition = (sae_condition){.dose = (double)NAN, .behaviour = (double)NAN};
}

sae_status sae_study_new(sae_study **out, sae_context *context, const char *title, sae_error *err)
{
    sae_status status = saei_alloc(out, context, 1, sizeof **out, err);
    if (status == SAE_OK)
        **out = (sae_study){.context = context, .title = title != NULL ? title : ""};
    return status;
}

void sae_study_free(sae_study *study)
{
    if (study == NULL)
        return;
    saei_study_file_free(study->file);
    saei_free(study->context, study->trajectories);
    saei_free(study->context, study->triggers);
    saei_free(study->context, study->conditions);
    saei_free(study->context, study);
}

size_t sae_study_find(const sae_study *study, const char *name)
{
    for (size_t i = 0; i < study->n_conditions; i++)
        if (strcmp(study->conditions[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

size_t saei_study_base(const sae_study *study)
{
    size_t i = 0;
    while (i < study->n_conditions && study->conditions[i].role != SAE_ROLE_BASE)
        i++;
    return i;
}

bool saei_study_has_control(const sae_study *study)
{
    for (size_t i = 0; i < study->n_conditions; i++)
        if (study->conditions[i].role == SAE_ROLE_CONTROL)
            return true;
    return false;
}

static bool share_or_nan(double x)
{
    return isnan(x) || (x >= 0 && x <= 1);
}

sae_status sae_study_add_condition(sae_study *study, const sae_condition *condition, sae_error *err)
{
    const char *name = condition->name;
    if (name == NULL || name[0] == '\0' || condition->dump == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "a condition needs a name and a dump");
    if (sae_study_find(study, name) != SIZE_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "condition %.60s: there is one of this name already", name);
    if ((unsigned)condition->role > SAE_ROLE_PROBE)
        return saei_fail(err, SAE_E_ARGUMENT, "condition %.60s: no such role", name);
    if (condition->role == SAE_ROLE_BASE && saei_study_base(study) < study->n_conditions)
        return saei_fail(err, SAE_E_ARGUMENT, "condition %.60s: %.60s is the base already", name,
                         study->conditions[saei_study_base(study)].name);
    if (!share_or_nan(condition->dose) || !share_or_nan(condition->behaviour))
        return saei_fail(err, SAE_E_ARGUMENT,
                         "condition %.60s: dose and behaviour are shares between 0 and 1", name);
    size_t n = study->n_conditions;
    sae_status status =
        saei_grow(&study->conditions, study->context, n, n + 1, sizeof *study->conditions, err);
    if (status == SAE_OK)
        study->conditions[study->n_conditions++] = *condition;
    return status;
}

static sae_status require(const sae_study *study, const char *name, const char *where, sae_error *err)
{
    if (name == NULL)
        return saei_fail(err, SAE_E_ARGUMENT, "%.60s: a condition's name is missing", where);
    if (sae_study_find(study, name) != SIZE_MAX)
        return SAE_OK;
    return saei_fail(err, SAE_E_NOT_FOUND, "%.60s: no condition is called %.60s", where, name);
}

sae_status sae_study_add_trigger(sae_study *study, const sae_study_trigger *trigger, sae_error *err)
{
    const char *where = trigger->name != NULL ? trigger->name : "trigger";
    sae_status status = require(study, trigger->with, where, err);
    if (status == SAE_OK)
        status = require(study, trigger->without, where, err);
    if (status == SAE_OK && trigger->before_with != NULL)
        status = require(study, trigger->before_with, where, err);
    if (status == SAE_OK && trigger->before_without != NULL)
        status = require(study, trigger->before_without, where, err);
    size_t n = study->n_triggers;
    if (status == SAE_OK)
        status = saei_grow(&study->triggers, study->context, n, n + 1, sizeof *study->triggers, err);
    if (status == SAE_OK) {
        study->triggers[n] = *trigger;
        study->triggers[n].name = where;
        study->n_triggers = n + 1;
    }
    return status;
}

sae_status sae_study_add_trajectory(sae_study *study, const sae_study_trajectory *trajectory, sae_error *err)
{
    const char *where = trajectory->name != NULL ? trajectory->name : "trajectory";
    if (trajectory->n < 2)
        return saei_fail(err, SAE_E_ARGUMENT, "%.60s: a trajectory has at least two steps", where);
    for (size_t i = 0; i < trajectory->n; i++) {
        sae_status status = require(study, trajectory->conditions[i], where, err);
        if (status != SAE_OK)
            return status;
        if (!isfinite(trajectory->steps[i]) || (i > 0 && !(trajectory->steps[i] > trajectory->steps[i - 1])))
            return saei_fail(err, SAE_E_ARGUMENT, "%.60s: steps must be numbers that rise", where);
    }
    size_t n = study->n_trajectories;
    sae_status status =
        saei_grow(&study->trajectories, study->context, n, n + 1, sizeof *study->trajectories, err);
    if (status == SAE_OK) {
        study->trajectories[n] = *trajectory;
        study->trajectories[n].name = where;
        study->n_trajectories = n + 1;
    }
    return status;
}

sae_status sae_study_set_reference(sae_study *study, const sae_dump *dump, const sae_label *labels,
                                   size_t n_labels, sae_error *err)
{
    if (n_labels == 0 || n_labels > SAE_LABELS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "reference: %zu labels; there can be 1 to %d", n_labels,
                         (int)SAE_LABELS_MAX);
    for (size_t i = 0; i < n_labels; i++)
        if (labels[i].name == NULL || labels[i].condition == NULL)
            return saei_fail(err, SAE_E_ARGUMENT, "reference: label %zu needs a name and a condition", i + 1);
    for (size_t i = 0; i < n_labels; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(labels[i].name, labels[k].name) == 0)
                return saei_fail(err, SAE_E_ARGUMENT, "reference: two labels are called %.60s",
                                 labels[i].name);
    study->reference = dump;
    memcpy(study->labels, labels, n_labels * sizeof *labels);
    study->n_labels = n_labels;
    return SAE_OK;
}

void sae_study_set_group(sae_study *study, const char *group)
{
    study->group = group;
}

void sae_study_match_positions(sae_study *study, bool match)
{
    study->match_positions = match;
}

void sae_study_set_strata(sae_study *study, const char *const *columns, size_t n)
{
    study->strata = columns;
    study->n_strata = n;
}

const char *sae_study_title(const sae_study *study)
{
    return study->title;
}

size_t sae_study_conditions(const sae_study *study)
{
    return study->n_conditions;
}

const sae_condition *sae_study_condition(const sae_study *study, size_t i)
{
    return i < study->n_conditions ? &study->conditions[i] : NULL;
}

size_t saei_study_controls(bool *out, const sae_study *study, size_t condition)
{
    const sae_condition *of = &study->conditions[condition];
    size_t n = 0;
    for (size_t i = 0; i < study->n_conditions; i++) {
        out[i] = of->n_controls == 0 && i != condition && study->conditions[i].role == SAE_ROLE_CONTROL;
        for (size_t c = 0; c < of->n_controls; c++)
            out[i] = out[i] || strcmp(of->controls[c], study->conditions[i].name) == 0;
        n += out[i];
    }
    return n;
}

sae_status saei_study_check(const sae_study *study, sae_error *err)
{
    size_t bad = 0;
    for (size_t i = 0; i < study->n_conditions; i++) {
        const sae_condition *condition = &study->conditions[i];
        bad += condition->role == SAE_ROLE_BAD;
        for (size_t c = 0; c < condition->n_controls; c++) {
            sae_status status = require(study, condition->controls[c], condition->name, err);
            if (status != SAE_OK)
                return status;
            if (strcmp(condition->controls[c], condition->name) == 0)
                return saei_fail(err, SAE_E_ARGUMENT, "%.60s: is its own control", condition->name);
        }
    }
    if (saei_study_base(study) == study->n_conditions)
        return saei_fail(err, SAE_E_ARGUMENT, "the study has no base: one condition needs the role base");
    if (bad == 0)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "the study has nothing bad: at least one condition needs the role bad");
    return SAE_OK;
}
