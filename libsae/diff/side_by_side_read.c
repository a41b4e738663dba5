#include "base/memory.h"
#include "diff/matching.h"
#include "diff/paired_rows.h"
#include "diff/side_by_side.h"
#include "dump/same_rows.h"
#include "model/model.h"

#include <stdio.h>

static bool is_bad(const saei_side_readings *readings, size_t i)
{
    return i >= 1 && i <= readings->input->n_after;
}

/* Rows that do not pair leave the difference encoding out, unless it is what was asked for. */
static sae_status open_encoder(saei_side_readings *readings, size_t i, const double *row_weight,
                               sae_error *err)
{
    const saei_comparison *c = &readings->comparison;
    sae_error reason = {0};
    sae_status status = saei_dump_same_rows(c->dumps[0], c->dumps[i], c->group, &reason);
    if (status == SAE_E_MISMATCH && readings->input->by != SAE_RANKER_DIFFERENCE_ENCODING) {
        snprintf(readings->no_difference, sizeof readings->no_difference, "%s", reason.text);
        return SAE_OK;
    }
    if (status != SAE_OK) {
        if (err != NULL)
            *err = reason;
        return status;
    }
    return saei_difference_encoder_new(&readings->of[i].encoder, readings->model, c->dumps[0], c->dumps[i],
                                       c->group, readings->of[i].groups, row_weight, err);
}

static sae_status open_reading(saei_side_readings *readings, size_t i, const double *row_weight,
                               sae_error *err)
{
    const saei_comparison *c = &readings->comparison;
    sae_context *context = readings->model->context;
    saei_side_reading *reading = &readings->of[i];
    sae_status status = saei_groups_read(&reading->groups, context, c->dumps[i], c->group, err);
    if (status == SAE_OK)
        status = saei_residual_mean_new(&reading->residual, context, reading->groups, row_weight,
                                        readings->model->d, readings->model->row_norm, err);
    if (status == SAE_OK && is_bad(readings, i))
        status = open_encoder(readings, i, row_weight, err);
    const sae_dump *gradients = i == 1   ? readings->input->gradients
                                : i == 0 ? readings->input->gradients_before
                                         : NULL;
    if (status == SAE_OK && gradients != NULL)
        status = saei_attribution_new(&reading->attribution, c->dumps[i], gradients, c->group,
                                      reading->groups, row_weight, context, err);
    return status;
}

static sae_status read_dump(saei_side_readings *readings, size_t i, const double *row_weight,
                            const sae_rank_options *options, sae_error *err)
{
    saei_comparison *c = &readings->comparison;
    saei_side_reading *reading = &readings->of[i];
    sae_status status = open_reading(readings, i, row_weight, err);
    if (status != SAE_OK)
        return status;
    saei_observers others = {1, {{saei_residual_mean_observe, reading->residual}}};
    if (reading->encoder != NULL)
        others.item[others.n++] = (saei_observer){saei_difference_encoder_observe, reading->encoder};
    if (reading->attribution != NULL)
        others.item[others.n++] = (saei_observer){saei_attribution_observe, reading->attribution};
    saei_pass pass = {.model = readings->model,
                      .dump = c->dumps[i],
                      .progress = options->progress,
                      .progress_user = options->progress_user};
    status = saei_profile_observe(&c->profiles[i], &readings->fidelity[i], pass, reading->groups, row_weight,
                                  &others, err);
    if (status == SAE_OK && reading->encoder != NULL)
        status = saei_difference_encoder_finish(&reading->difference, reading->encoder, err);
    return status;
}

static sae_status read_dumps(saei_side_readings *readings, const sae_rank_options *options, sae_error *err)
{
    saei_comparison *c = &readings->comparison;
    saei_matching *matching = NULL;
    sae_status status = SAE_OK;
    if (options->match_positions)
        status = saei_matching_read(&matching, readings->model->context, c->dumps, c->n_dumps, c->group, err);
    for (size_t i = 0; status == SAE_OK && i < c->n_dumps; i++)
        status = read_dump(readings, i, matching != NULL ? matching->weight[i] : NULL, options, err);
    saei_matching_free(matching);
    return status;
}

sae_status saei_side_readings_read(saei_side_readings *out, const sae_model *model,
                                   const sae_rankers_input *input, const sae_rank_options *options,
                                   sae_error *err)
{
    *out = (saei_side_readings){.model = model, .input = input};
    saei_comparison *c = &out->comparison;
    sae_status status = saei_comparison_alloc(c, model, input->before, input->after, input->n_after,
                                              input->controls, input->n_controls, err);
    if (status == SAE_OK)
        status = saei_alloc(&out->fidelity, model->context, c->n_dumps, sizeof *out->fidelity, err);
    if (status == SAE_OK)
        status = saei_alloc(&out->of, model->context, c->n_dumps, sizeof *out->of, err);
    if (status == SAE_OK)
        status = saei_comparison_check(c, options->group, err);
    if (status == SAE_OK)
        status = read_dumps(out, options, err);
    return status == SAE_OK ? saei_comparison_match(c, options->pairing, err) : status;
}

void saei_side_readings_release(saei_side_readings *readings)
{
    sae_context *context = readings->model->context;
    for (size_t i = 0; readings->of != NULL && i < readings->comparison.n_dumps; i++) {
        saei_side_reading *reading = &readings->of[i];
        saei_profile_free(reading->difference);
        saei_attribution_free(reading->attribution);
        saei_difference_encoder_free(reading->encoder);
        saei_residual_mean_free(reading->residual);
        saei_groups_free(reading->groups);
    }
    saei_free(context, readings->of);
    saei_free(context, readings->fidelity);
    saei_comparison_release(&readings->comparison);
}
