#include "apply/density.h"
#include "apply/fidelity.h"
#include "apply/variants.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "model/model.h"

#include <string.h>

sae_status sae_model_evaluate(sae_fidelity *out, const sae_model *model, const sae_dump *dump, sae_error *err)
{
    saei_fidelity_sums *sums = NULL;
    sae_status status =
        saei_fidelity_new(&sums, model->context, sae_model_dim(model), sae_model_latents(model), err);
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump,
                                            .reconstruct = true,
                                            .consume = saei_fidelity_observe,
                                            .consume_user = sums},
                               err);
    if (status == SAE_OK)
        *out = saei_fidelity_get(sums);
    saei_fidelity_free(sums);
    return status;
}

typedef struct all_sums {
    sae_context *context;
    saei_fidelity_sums *fidelity;
    saei_variants *variants;
    uint64_t *fires; /* [F] */
    double *mean;    /* [d] */
} all_sums;

static sae_status all_sums_new(all_sums *sums, const sae_model *model, const sae_dump *dump,
                               sae_progress_fn progress, void *user, sae_error *err)
{
    size_t d = sae_model_dim(model), F = sae_model_latents(model);
    saei_dump_scan_result scan;
    sae_status status = saei_dump_scan(&scan, dump, progress, user, err);
    if (status != SAE_OK)
        return status;
    sums->mean = scan.mean;
    status = saei_fidelity_new(&sums->fidelity, sums->context, d, F, err);
    if (status == SAE_OK)
        status = saei_variants_new(&sums->variants, sums->context, d, sums->mean, err);
    if (status == SAE_OK)
        status = saei_alloc(&sums->fires, sums->context, F, sizeof *sums->fires, err);
    return status;
}

static sae_status add_all(void *user, const saei_block *block, sae_error *err)
{
    all_sums *sums = user;
    saei_variants_add(sums->variants, block);
    for (uint64_t i = 0; i < block->codes.row_ptr[block->codes.rows]; i++)
        sums->fires[block->codes.latent[i]]++;
    return saei_fidelity_observe(sums->fidelity, block, err);
}

sae_status sae_model_evaluate_all(sae_evaluation *out, uint64_t *fires, const sae_model *model,
                                  const sae_dump *dump, sae_progress_fn progress, void *user, sae_error *err)
{
    size_t F = sae_model_latents(model);
    all_sums sums = {.context = model->context};
    sae_status status = saei_pass_check(model, dump, err);
    if (status == SAE_OK)
        status = all_sums_new(&sums, model, dump, progress, user, err);
    if (status == SAE_OK)
        status = saei_pass_run(&(saei_pass){.model = model,
                                            .dump = dump,
                                            .reconstruct = true,
                                            .consume = add_all,
                                            .consume_user = &sums,
                                            .progress = progress,
                                            .progress_user = user},
                               err);
    if (status == SAE_OK) {
        *out = (sae_evaluation){saei_fidelity_get(sums.fidelity), saei_variants_get(sums.variants),
                                saei_densities(sums.fires, F, sae_dump_rows(dump))};
        if (fires != NULL)
            memcpy(fires, sums.fires, F * sizeof *fires);
    }
    saei_fidelity_free(sums.fidelity);
    saei_variants_free(sums.variants);
    saei_free(sums.context, sums.fires);
    saei_free(saei_dump_context(dump), sums.mean);
    return status;
}
