#include "base/error.h"
#include "base/number.h"
#include "io/atomic_file.h"
#include "sae/report.h"

#include <math.h>

static sae_status write_header(saei_atomic_file *file, sae_error *err)
{
    sae_status status = saei_atomic_file_printf(file, err, "latent,rank");
    for (int r = 0; status == SAE_OK && r < SAE_RANKERS; r++) {
        const char *name = sae_ranker_name((sae_ranker)r);
        status = saei_atomic_file_printf(file, err, ",%s,%s_rank", name, name);
    }
    return status == SAE_OK ? saei_atomic_file_printf(file, err, "\n") : status;
}

static sae_status write_score(saei_atomic_file *file, const sae_rankers *rankers, sae_ranker ranker,
                              uint32_t latent, sae_error *err)
{
    const double *scores = sae_rankers_scores(rankers, ranker);
    if (scores == NULL)
        return saei_atomic_file_printf(file, err, ",,");
    char text[SAEI_NUMBER_BYTES];
    saei_number_format(text, scores[latent]);
    return saei_atomic_file_printf(file, err, ",%s,%zu", isnan(scores[latent]) ? "" : text,
                                   sae_rankers_rank(rankers, ranker, latent));
}

static sae_status write_latent(saei_atomic_file *file, const sae_rankers *rankers, size_t i, sae_error *err)
{
    const sae_latent_stats *stats = sae_ranking_at(sae_rankers_ranking(rankers), i);
    sae_status status = saei_atomic_file_printf(file, err, "%u,%zu", stats->latent, stats->rank);
    for (int r = 0; status == SAE_OK && r < SAE_RANKERS; r++)
        status = write_score(file, rankers, (sae_ranker)r, stats->latent, err);
    return status == SAE_OK ? saei_atomic_file_printf(file, err, "\n") : status;
}

sae_status sae_rankers_save(const sae_rankers *rankers, sae_context *context, const char *path,
                            bool overwrite, sae_error *err)
{
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK)
        status = write_header(file, err);
    for (size_t i = 0; status == SAE_OK && i < sae_rankers_latents(rankers); i++)
        status = write_latent(file, rankers, i, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}
