/* A study file. The dumps it names are looked for, and opened when they are there. */
#include "fuzz_file.h"
#include "sae/study.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sae_study *study;
    sae_status status = sae_study_load(&study, fuzz_context(), fuzz_file(data, size), NULL);
    FUZZ_REQUIRE((status == SAE_OK) == (study != NULL));
    sae_study_free(study);
    return 0;
}
