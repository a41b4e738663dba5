#include "model/identity.h"

#include <stdio.h>
#include <xxhash.h>

/* The hash of what was before and of the next n floats. */
static XXH128_hash_t chain(XXH128_hash_t hash, const float *values, size_t n)
{
    if (values == NULL)
        return hash;
    XXH128_hash_t part[2] = {hash, XXH3_128bits(values, n * sizeof *values)};
    return XXH3_128bits(part, sizeof part);
}

void saei_model_identity(char out[SAEI_IDENTITY_BYTES], const sae_model *model)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are hashed as they lie in memory");
    sae_params p = sae_model_params(model);
    uint64_t shape[5] = {(uint64_t)p.activation, p.k, p.d, p.n_latents, (uint64_t)p.row_norm};
    size_t numbers = p.row_norm != SAE_NO_ROW_NORM ? 5 : 4; /* monitors of models without a norm stay valid */
    XXH128_hash_t hash = XXH3_128bits(shape, numbers * sizeof *shape);
    hash = chain(hash, p.W_enc, p.n_latents * p.d);
    hash = chain(hash, p.b_enc, p.n_latents);
    hash = chain(hash, p.W_dec, p.n_latents * p.d);
    hash = chain(hash, p.b_dec, p.d);
    hash = chain(hash, p.threshold, p.n_latents);
    hash = chain(hash, p.r_mag, p.n_latents);
    hash = chain(hash, p.b_mag, p.n_latents);
    snprintf(out, SAEI_IDENTITY_BYTES, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}
