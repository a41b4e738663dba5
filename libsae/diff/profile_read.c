#include "apply/fidelity.h"
#include "diff/profile.h"
#include "model/model.h"

#include <assert.h>

static saei_observers joined(saei_observers first, const saei_observers *second)
{
    for (size_t i = 0; second != NULL && i < second->n; i++) {
        assert(first.n < SAEI_OBSERVERS_MAX);
        first.item[first.n++] = second->item[i];
    }
    return first;
}

sae_status saei_profile_observe(saei_profile **out, sae_fidelity *fidelity, saei_pass pass,
                                const saei_groups *groups, const double *row_weight,
                                const saei_observers *others, sae_error *err)
{
    *out = NULL;
    sae_context *context = pass.model->context;
    size_t n_latents = sae_model_latents(pass.model);
    saei_fidelity_sums *sums = NULL;
    saei_profile_builder *builder = NULL;
    sae_status status = saei_fidelity_new(&sums, context, sae_model_dim(pass.model), n_latents, err);
    if (status == SAE_OK)
        status = saei_profile_builder_new(&builder, context, groups, row_weight, n_latents, err);
    saei_observers observers = {2, {{saei_fidelity_observe, sums}, {saei_profile_builder_observe, builder}}};
    observers = joined(observers, others);
    pass.reconstruct = true;
    pass.consume = saei_observe;
    pass.consume_user = &observers;
    if (status == SAE_OK)
        status = saei_pass_run(&pass, err);
    if (status == SAE_OK)
        status = saei_profile_builder_finish(out, builder, err);
    if (status == SAE_OK)
        *fidelity = saei_fidelity_get(sums);
    saei_profile_builder_free(builder);
    saei_fidelity_free(sums);
    return status;
}

sae_status saei_profile_read(saei_profile **out, sae_fidelity *fidelity, const sae_model *model,
                             const sae_dump *dump, const char *group, const double *row_weight,
                             sae_progress_fn progress, void *user, sae_error *err)
{
    *out = NULL;
    saei_groups *groups;
    sae_status status = saei_groups_read(&groups, model->context, dump, group, err);
    if (status != SAE_OK)
        return status;
    saei_pass pass = {.model = model, .dump = dump, .progress = progress, .progress_user = user};
    status = saei_profile_observe(out, fidelity, pass, groups, row_weight, NULL, err);
    saei_groups_free(groups);
    return status;
}
