#include "base/error.h"
#include "base/options.h"
#include "diff/ranking.h"

void sae_rank_options_init(sae_rank_options *options)
{
    *options = (sae_rank_options){.size = sizeof *options,
                                  .bootstrap = 2000,
                                  .confidence = 0.95,
                                  .family_draws = 2000,
                                  .rank_top = 100,
                                  .heldout_select = 20};
}

sae_status saei_rank_options_read(sae_rank_options *options, const sae_rank_options *given, size_t n_latents,
                                  sae_error *err)
{
    sae_rank_options_init(options);
    sae_status status = saei_options_read(options, sizeof *options, given, err);
    if (status != SAE_OK)
        return status;
    if (!(options->confidence > 0 && options->confidence < 1))
        return saei_fail(err, SAE_E_ARGUMENT, "confidence %g: must lie between 0 and 1", options->confidence);
    if ((unsigned)options->pairing > SAE_UNPAIRED || (unsigned)options->direction > SAE_BOTH)
        return saei_fail(err, SAE_E_ARGUMENT, "pairing %d or direction %d: no such choice",
                         (int)options->pairing, (int)options->direction);
    if (options->permutations == 0) {
        uint64_t wanted = 40 * (uint64_t)n_latents;
        options->permutations = wanted < 10000 ? 10000 : wanted > 1000000 ? 1000000 : wanted;
    }
    return SAE_OK;
}
