#include "base/number.h"
#include "io/atomic_file.h"
#include "sae/report.h"

#include <inttypes.h>
#include <math.h>

static sae_status write_latent(saei_atomic_file *file, const sae_cross_latent *l, sae_error *err)
{
    const double numbers[] = {l->norm_before,
                              l->norm_after,
                              l->relative_norm,
                              l->delta_norm,
                              l->beta_error_before,
                              l->beta_error_after,
                              l->beta_reconstruction_before,
                              l->beta_reconstruction_after,
                              l->nu_error,
                              l->nu_reconstruction};
    sae_status status = saei_atomic_file_printf(file, err, "%u,%s,%" PRIu64, l->latent,
                                                sae_cross_kind_name(l->kind), l->fires);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && status == SAE_OK; i++) {
        char text[SAEI_NUMBER_BYTES];
        saei_number_format(text, numbers[i]);
        status = saei_atomic_file_printf(file, err, ",%s", isnan(numbers[i]) ? "" : text);
    }
    return status == SAE_OK ? saei_atomic_file_printf(file, err, "\n") : status;
}

sae_status sae_cross_save(const sae_cross_latent *latents, size_t n, sae_context *context, const char *path,
                          bool overwrite, sae_error *err)
{
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = saei_atomic_file_printf(
            file, err,
            "latent,kind,fires,norm_before,norm_after,relative_norm,delta_norm,beta_error_before,beta_error_"
            "after,"
            "beta_reconstruction_before,beta_reconstruction_after,nu_error,nu_reconstruction\n");
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = write_latent(file, &latents[i], err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}
