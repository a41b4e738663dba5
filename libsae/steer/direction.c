#include "base/error.h"
#include "num/rows.h"
#include "sae/steer.h"

#include <math.h>

sae_status sae_model_direction(float *out, const sae_model *model, uint32_t latent, bool unit, sae_error *err)
{
    sae_params params = sae_model_params(model);
    if (latent >= params.n_latents)
        return saei_fail(err, SAE_E_NOT_FOUND, "latent %u: the model has latents 0 to %zu", latent,
                         params.n_latents - 1);
    const float *row = params.W_dec + (size_t)latent * params.d;
    double norm = unit ? sqrt(saei_row_norm2(row, params.d)) : 1;
    if (!(norm > 0))
        return saei_fail(err, SAE_E_ARGUMENT, "latent %u: its decoder row is zero and has no direction",
                         latent);
    for (size_t i = 0; i < params.d; i++)
        out[i] = (float)((double)row[i] / norm);
    return SAE_OK;
}
