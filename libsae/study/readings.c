#include "study/readings.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "model/model.h"

static void release(saei_readings *readings, size_t i)
{
    saei_reading *reading = &readings->of[i];
    saei_strata_free(reading->strata);
    saei_residual_mean_free(reading->mean);
    saei_profile_free(reading->profile);
    saei_groups_free(reading->groups);
}

void saei_readings_free(saei_readings *readings)
{
    if (readings == NULL)
        return;
    for (size_t i = 0; readings->of != NULL && i < readings->n; i++)
        release(readings, i);
    saei_matching_free(readings->matching);
    saei_free(readings->context, readings->paired);
    saei_free(readings->context, readings->of);
    saei_free(readings->context, readings);
}

static const sae_dump *dump_of(const saei_readings *readings, size_t i)
{
    return readings->study->conditions[i].dump;
}

/* The index of the first dump without the column, or n. */
static size_t first_without(const saei_readings *readings, const char *column)
{
    size_t i = 0;
    while (i < readings->n && sae_dump_has_column(dump_of(readings, i), column))
        i++;
    return i;
}

/* One column for all dumps: ids of prompts and ids of documents would be compared as if they were the same.
 */
static sae_status choose_group(saei_readings *readings, sae_error *err)
{
    static const char *const usual[] = {"prompt_id", "doc_id"};
    const char *wanted = readings->study->group;
    size_t lacking[2], choices = wanted != NULL ? 1 : 2;
    for (size_t u = 0; u < choices; u++) {
        readings->group = wanted != NULL ? wanted : usual[u];
        lacking[u] = first_without(readings, readings->group);
        if (lacking[u] == readings->n)
            return SAE_OK;
    }
    return saei_fail(err, SAE_E_NOT_FOUND,
                     "%.200s: no column %.60s to name its prompts by; all dumps of a study need the same one "
                     "(\"group\" in its file)%s",
                     sae_dump_name(dump_of(readings, lacking[0])), wanted != NULL ? wanted : usual[0],
                     wanted != NULL ? "" : ", and not all of them have doc_id");
}

static sae_status check_dumps(saei_readings *readings, const sae_model *model, sae_error *err)
{
    for (size_t i = 0; i < readings->n; i++) {
        sae_status status = saei_pass_check(model, dump_of(readings, i), err);
        if (status != SAE_OK)
            return status;
    }
    return choose_group(readings, err);
}

/* The observers of a pass that end with it. */
typedef struct pass_sums {
    saei_fidelity_sums *fidelity;
    saei_profile_builder *builder;
} pass_sums;

static sae_status prepare(saei_readings *readings, size_t i, pass_sums *sums, const sae_model *model,
                          sae_error *err)
{
    saei_reading *reading = &readings->of[i];
    sae_context *context = readings->context;
    const sae_study *study = readings->study;
    const sae_dump *dump = dump_of(readings, i);
    const double *weight = readings->matching != NULL ? readings->matching->weight[i] : NULL;
    size_t d = sae_model_dim(model), F = sae_model_latents(model);
    sae_status status = saei_groups_read(&reading->groups, context, dump, readings->group, err);
    if (status == SAE_OK)
        status = saei_fidelity_new(&sums->fidelity, context, d, F, err);
    if (status == SAE_OK)
        status = saei_profile_builder_new(&sums->builder, context, reading->groups, weight, F, err);
    if (status == SAE_OK)
        status = saei_residual_mean_new(&reading->mean, context, reading->groups, weight, d,
                                        sae_model_params(model).row_norm, err);
    if (status == SAE_OK)
        status = saei_strata_new(&reading->strata, context, dump, reading->groups, study->strata,
                                 study->n_strata, F, err);
    return status;
}

static sae_status read_one(saei_readings *readings, size_t i, const sae_model *model,
                           sae_progress_fn progress, void *user, sae_error *err)
{
    saei_reading *reading = &readings->of[i];
    pass_sums sums = {0};
    sae_status status = prepare(readings, i, &sums, model, err);
    saei_observers observers = {4,
                                {{saei_fidelity_observe, sums.fidelity},
                                 {saei_profile_builder_observe, sums.builder},
                                 {saei_residual_mean_observe, reading->mean},
                                 {saei_strata_observe, reading->strata}}};
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump_of(readings, i),
                                            .reconstruct = true,
                                            .consume = saei_observe,
                                            .consume_user = &observers,
                                            .progress = progress,
                                            .progress_user = user},
                               err);
    if (status == SAE_OK)
        status = saei_profile_builder_finish(&reading->profile, sums.builder, err);
    if (status == SAE_OK)
        reading->fidelity = saei_fidelity_get(sums.fidelity);
    saei_profile_builder_free(sums.builder);
    saei_fidelity_free(sums.fidelity);
    saei_dump_rest(dump_of(readings, i));
    return status;
}

static sae_status match_positions(saei_readings *readings, sae_error *err)
{
    const sae_dump **dumps;
    sae_status status = saei_alloc(&dumps, readings->context, readings->n, sizeof *dumps, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < readings->n; i++)
        dumps[i] = dump_of(readings, i);
    status =
        saei_matching_read(&readings->matching, readings->context, dumps, readings->n, readings->group, err);
    saei_free(readings->context, dumps);
    return status;
}

static sae_status decide_pairs(saei_readings *readings, sae_error *err)
{
    size_t base = saei_study_base(readings->study);
    saei_side x = {dump_of(readings, base), readings->of[base].profile};
    readings->paired[base] = true;
    sae_status status = SAE_OK;
    for (size_t i = 0; status == SAE_OK && i < readings->n; i++) {
        saei_side y = {dump_of(readings, i), readings->of[i].profile};
        if (i != base)
            status = saei_pairing_decide(&readings->paired[i], x, y, readings->group, SAE_PAIR_AUTO, err);
    }
    return status;
}

sae_status saei_readings_new(saei_readings **out, const sae_study *study, const sae_model *model,
                             sae_progress_fn progress, void *user, sae_error *err)
{
    *out = NULL;
    saei_readings *readings;
    sae_context *context = model->context;
    sae_status status = saei_alloc(&readings, context, 1, sizeof *readings, err);
    if (status != SAE_OK)
        return status;
    *readings = (saei_readings){.context = context, .study = study, .n = study->n_conditions};
    status = saei_alloc(&readings->of, context, readings->n, sizeof *readings->of, err);
    if (status == SAE_OK)
        status = saei_alloc(&readings->paired, context, readings->n, 1, err);
    if (status == SAE_OK)
        status = check_dumps(readings, model, err);
    if (status == SAE_OK && study->match_positions)
        status = match_positions(readings, err);
    for (size_t i = 0; status == SAE_OK && i < readings->n; i++)
        status = read_one(readings, i, model, progress, user, err);
    if (status == SAE_OK)
        status = decide_pairs(readings, err);
    if (status != SAE_OK) {
        saei_readings_free(readings);
        return status;
    }
    *out = readings;
    return SAE_OK;
}

bool saei_readings_paired_all(const saei_readings *readings, size_t a, const bool *is)
{
    for (size_t i = 0; i < readings->n; i++)
        if (is[i] && !saei_readings_paired(readings, a, i))
            return false;
    return true;
}

sae_status saei_readings_mean(saei_profile **out, const saei_readings *readings, const bool *is,
                              sae_error *err)
{
    *out = NULL;
    saei_profile **chosen;
    size_t n = 0;
    sae_status status = saei_alloc(&chosen, readings->context, readings->n, sizeof *chosen, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < readings->n; i++)
        if (is[i])
            chosen[n++] = readings->of[i].profile;
    status = saei_profile_mean(out, chosen, n, err);
    saei_free(readings->context, chosen);
    return status;
}
