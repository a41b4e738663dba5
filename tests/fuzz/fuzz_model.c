/* A model file: loaded, and a row encoded by it. */
#include "fuzz_file.h"
#include "sae/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sae_model *model;
    sae_status status = sae_model_load(&model, fuzz_context(), fuzz_file(data, size), NULL);
    FUZZ_REQUIRE((status == SAE_OK) == (model != NULL));
    if (model != NULL)
        FUZZ_REQUIRE(sae_model_dim(model) > 0 && sae_model_latents(model) > 0);
    sae_model_free(model);
    return 0;
}
