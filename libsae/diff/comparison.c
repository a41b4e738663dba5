#include "diff/comparison.h"
#include "apply/groups.h"
#include "apply/pass.h"
#include "base/error.h"
#include "base/memory.h"
#include "diff/matching.h"
#include "model/model.h"

sae_status saei_comparison_alloc(saei_comparison *comparison, const sae_model *model, const sae_dump *before,
                                 const sae_dump *const *after, size_t n_after,
                                 const sae_dump *const *controls, size_t n_controls, sae_error *err)
{
    sae_context *context = model->context;
    *comparison = (saei_comparison){
        .model = model, .n_dumps = saei_add(saei_add(1, n_after), n_controls), .n_controls = n_controls};
    sae_status status =
        saei_alloc(&comparison->dumps, context, comparison->n_dumps, sizeof *comparison->dumps, err);
    if (status == SAE_OK)
        status = saei_alloc(&comparison->profiles, context, comparison->n_dumps, sizeof *comparison->profiles,
                            err);
    if (status != SAE_OK)
        return status;
    comparison->dumps[0] = before;
    for (size_t a = 0; a < n_after; a++)
        comparison->dumps[1 + a] = after[a];
    for (size_t c = 0; c < n_controls; c++)
        comparison->dumps[1 + n_after + c] = controls[c];
    return SAE_OK;
}

void saei_comparison_release(saei_comparison *comparison)
{
    sae_context *context = comparison->model->context;
    if (comparison->profiles != NULL)
        for (size_t i = 0; i < comparison->n_dumps; i++)
            saei_profile_free(comparison->profiles[i]);
    saei_profile_free(comparison->control);
    saei_free(context, comparison->profiles);
    saei_free(context, comparison->dumps);
}

static const sae_dump *first_without(const saei_comparison *comparison, const char *column)
{
    for (size_t i = 0; i < comparison->n_dumps; i++)
        if (!sae_dump_has_column(comparison->dumps[i], column))
            return comparison->dumps[i];
    return NULL;
}

/* One column for all dumps: ids of prompts and ids of documents would be compared as if they were the same.
 */
static sae_status choose_group(saei_comparison *comparison, const char *wanted, sae_error *err)
{
    static const char *const usual[] = {"prompt_id", "doc_id"};
    comparison->group = wanted;
    for (size_t i = 0; i < 2 && comparison->group == NULL; i++)
        if (first_without(comparison, usual[i]) == NULL)
            comparison->group = usual[i];
    const char *column = comparison->group != NULL ? comparison->group : usual[0];
    const sae_dump *without = first_without(comparison, column);
    if (without == NULL)
        return SAE_OK;
    if (wanted != NULL || !sae_dump_has_column(without, usual[1]))
        return saei_groups_no_column(without, column, err);
    for (size_t i = 0; i < comparison->n_dumps; i++)
        if (sae_dump_has_column(comparison->dumps[i], column))
            return saei_fail(err, SAE_E_MISMATCH,
                             "%s: no column %s as in %s, only %s: prompts and documents cannot be "
                             "compared; pass --group COLUMN that all have",
                             sae_dump_name(without), column, sae_dump_name(comparison->dumps[i]), usual[1]);
    return saei_groups_no_column(first_without(comparison, usual[1]), column, err);
}

sae_status saei_comparison_check(saei_comparison *comparison, const char *group, sae_error *err)
{
    for (size_t i = 0; i < comparison->n_dumps; i++) {
        sae_status status = saei_pass_check(comparison->model, comparison->dumps[i], err);
        if (status != SAE_OK)
            return status;
    }
    return choose_group(comparison, group, err);
}

static saei_side side(const saei_comparison *comparison, size_t i)
{
    return (saei_side){comparison->dumps[i], comparison->profiles[i]};
}

sae_status saei_comparison_pair(bool *paired, const saei_comparison *comparison, size_t a, size_t first,
                                size_t n, sae_pairing wanted, sae_error *err)
{
    sae_status status = SAE_OK;
    *paired = n > 0;
    for (size_t i = 0; status == SAE_OK && i < n && *paired; i++)
        status = saei_pairing_decide(paired, side(comparison, a), side(comparison, first + i),
                                     comparison->group, wanted, err);
    return status;
}

sae_status saei_comparison_match(saei_comparison *comparison, sae_pairing wanted, sae_error *err)
{
    size_t n = comparison->n_controls, first = comparison->n_dumps - n;
    sae_status status = saei_pairing_decide(&comparison->paired, side(comparison, 0), side(comparison, 1),
                                            comparison->group, wanted, err);
    if (status == SAE_OK)
        status = saei_comparison_pair(&comparison->control_paired, comparison, 1, first, n, wanted, err);
    if (status == SAE_OK && n > 0)
        status = saei_profile_mean(&comparison->control, comparison->profiles + first, n, err);
    return status;
}

static sae_status read_profiles(saei_comparison *comparison, sae_fidelity *fidelity,
                                const sae_rank_options *options, sae_error *err)
{
    saei_matching *matching = NULL;
    sae_status status = SAE_OK;
    if (options->match_positions)
        status = saei_matching_read(&matching, comparison->model->context, comparison->dumps,
                                    comparison->n_dumps, comparison->group, err);
    for (size_t i = 0; status == SAE_OK && i < comparison->n_dumps; i++)
        status =
            saei_profile_read(&comparison->profiles[i], &fidelity[i], comparison->model, comparison->dumps[i],
                              comparison->group, matching != NULL ? matching->weight[i] : NULL,
                              options->progress, options->progress_user, err);
    saei_matching_free(matching);
    return status;
}

sae_status saei_comparison_read(saei_comparison *comparison, sae_fidelity *fidelity,
                                const sae_rank_options *options, sae_error *err)
{
    sae_status status = saei_comparison_check(comparison, options->group, err);
    if (status == SAE_OK)
        status = read_profiles(comparison, fidelity, options, err);
    return status == SAE_OK ? saei_comparison_match(comparison, options->pairing, err) : status;
}
