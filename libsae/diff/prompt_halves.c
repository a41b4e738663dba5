#include "base/memory.h"
#include "base/rng.h"
#include "diff/confirmation.h"
#include "num/order.h"

#include <string.h>

/* Uniform, and the same for 0 and −0. */
static double hash_of(double id, uint64_t seed)
{
    uint64_t bits;
    double canonical = id + 0.0;
    memcpy(&bits, &canonical, sizeof bits);
    saei_rng rng = saei_rng_new(seed, SAEI_STREAM_HALVES, bits);
    return saei_rng_uniform(&rng);
}

sae_status saei_split_prompts(bool *second, const double *y_id, size_t n_y, const double *x_id, size_t n_x,
                              uint64_t seed, sae_context *context, sae_error *err)
{
    double *hash;
    size_t n = saei_add(n_y, n_x);
    sae_status status = saei_alloc(&hash, context, n, sizeof *hash, err);
    if (status != SAE_OK)
        return status;
    for (size_t u = 0; u < n; u++)
        hash[u] = hash_of(u < n_y ? y_id[u] : x_id[u - n_y], seed);
    double divide = n > 0 ? saei_select(hash, n, n / 2) : 0;
    for (size_t u = 0; u < n; u++)
        second[u] = hash_of(u < n_y ? y_id[u] : x_id[u - n_y], seed) >= divide;
    saei_free(context, hash);
    return SAE_OK;
}
