#include "apply/fidelity.h"
#include "model/model.h"

static sae_status consume(void *user, const saei_block *block, sae_error *err)
{
    (void)err;
    saei_fidelity_add(user, block);
    return SAE_OK;
}

sae_status sae_model_evaluate(sae_fidelity *out, const sae_model *model, const sae_dump *dump, sae_error *err)
{
    saei_fidelity_sums *sums = NULL;
    sae_status status =
        saei_fidelity_new(&sums, model->context, sae_model_dim(model), sae_model_latents(model), err);
    if (status == SAE_OK)
        status = saei_pass_run(
            &(saei_pass){
                .model = model, .dump = dump, .reconstruct = true, .consume = consume, .consume_user = sums},
            err);
    if (status == SAE_OK)
        *out = saei_fidelity_get(sums);
    saei_fidelity_free(sums);
    return status;
}
