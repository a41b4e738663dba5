#include "base/options.h"
#include "base/error.h"

#include <string.h>

sae_status saei_options_read(void *options, size_t known_size, const void *given, sae_error *err)
{
    if (given == NULL)
        return SAE_OK;
    size_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size)
        return saei_fail(err, SAE_E_ARGUMENT,
                         "option struct without a size: fill it with its _init function");
    const unsigned char *bytes = given;
    for (size_t i = known_size; i < given_size; i++)
        if (bytes[i] != 0)
            return saei_fail(err, SAE_E_ARGUMENT,
                             "an option that libsae " SAE_VERSION
                             " does not know is set: link a newer version");
    memcpy(options, given, given_size < known_size ? given_size : known_size);
    memcpy(options, &known_size, sizeof known_size);
    return SAE_OK;
}
