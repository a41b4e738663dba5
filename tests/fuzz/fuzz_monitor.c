/* A monitor file: loaded, and saved if it could be. */
#include "fuzz_file.h"
#include "sae/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sae_monitor *monitor;
    sae_status status = sae_monitor_load(&monitor, fuzz_context(), fuzz_file(data, size), NULL);
    FUZZ_REQUIRE((status == SAE_OK) == (monitor != NULL));
    sae_monitor_free(monitor);
    return 0;
}
