#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "report/report_sink.h"
#include "sae/report.h"

#include <math.h>
#include <stdio.h>

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

static sae_status save_text(const sae_rankers *rankers, sae_context *context, const char *path,
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

static uint32_t latent_at(const sae_rankers *rankers, size_t i)
{
    return sae_ranking_at(sae_rankers_ranking(rankers), i)->latent;
}

/* The arrays of one ranker. A score that was not computed is NaN, and its rank 0. */
static sae_status write_ranker(saei_array_sink *sink, const size_t number[2], const sae_rankers *rankers,
                               sae_ranker ranker, double *values, uint64_t *ranks, sae_error *err)
{
    const double *scores = sae_rankers_scores(rankers, ranker);
    const size_t n = sae_rankers_latents(rankers);
    for (size_t i = 0; i < n; i++) {
        uint32_t latent = latent_at(rankers, i);
        values[i] = scores != NULL ? scores[latent] : NAN;
        ranks[i] = scores != NULL ? sae_rankers_rank(rankers, ranker, latent) : 0;
    }
    sae_status status = saei_array_sink_append(sink, number[0], values, n, err);
    return status == SAE_OK ? saei_array_sink_append(sink, number[1], ranks, n, err) : status;
}

static sae_status write_arrays(saei_array_sink *sink, const sae_rankers *rankers, double *values,
                               uint64_t *ranks, sae_error *err)
{
    const size_t n = sae_rankers_latents(rankers);
    size_t latent, number[SAE_RANKERS][2];
    sae_status status = saei_array_sink_text(sink, "format", "libsae-rankers", err);
    if (status == SAE_OK)
        status = saei_array_sink_add(&latent, sink, &(saei_array_plan){"latent", SAEI_U64, n, 0, false}, err);
    for (int r = 0; r < SAE_RANKERS && status == SAE_OK; r++) {
        const char *name = sae_ranker_name((sae_ranker)r);
        char rank[64];
        snprintf(rank, sizeof rank, "%s_rank", name);
        status =
            saei_array_sink_add(&number[r][0], sink, &(saei_array_plan){name, SAEI_F64, n, 0, false}, err);
        if (status == SAE_OK)
            status = saei_array_sink_add(&number[r][1], sink, &(saei_array_plan){rank, SAEI_U64, n, 0, false},
                                         err);
    }
    for (size_t i = 0; i < n; i++)
        ranks[i] = latent_at(rankers, i);
    if (status == SAE_OK)
        status = saei_array_sink_append(sink, latent, ranks, n, err);
    for (int r = 0; r < SAE_RANKERS && status == SAE_OK; r++)
        status = write_ranker(sink, number[r], rankers, (sae_ranker)r, values, ranks, err);
    return status;
}

static sae_status save_arrays(const sae_rankers *rankers, sae_context *context, const char *path,
                              bool overwrite, sae_error *err)
{
    saei_array_sink *sink;
    double *values = NULL;
    uint64_t *ranks = NULL;
    size_t n = sae_rankers_latents(rankers);
    sae_status status = saei_report_sink_open(&sink, context, path, overwrite, err);
    if (status == SAE_OK)
        status = saei_alloc(&values, context, n, sizeof *values, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranks, context, n, sizeof *ranks, err);
    if (status == SAE_OK)
        status = write_arrays(sink, rankers, values, ranks, err);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&sink, err);
    saei_array_sink_discard(sink);
    saei_free(context, ranks);
    saei_free(context, values);
    return status;
}

sae_status sae_rankers_save(const sae_rankers *rankers, sae_context *context, const char *path,
                            bool overwrite, sae_error *err)
{
    return sae_report_format_of(path) == SAE_REPORT_ARRAYS
               ? save_arrays(rankers, context, path, overwrite, err)
               : save_text(rankers, context, path, overwrite, err);
}
