#include "base/error.h"
#include "io/atomic_file.h"
#include "base/number.h"
#include "sae/report.h"

#include <math.h>
#include <stddef.h>

/* One number of a latent. The table is the file layout: its order is that of the columns. */
typedef struct ranking_column {
    const char *name;
    size_t offset; /* of a double in sae_latent_stats */
} ranking_column;

/* clang-format off */
#define STAT(name) {#name, offsetof(sae_latent_stats, name)}
#define FIGURE(name, figure) {#name "_" #figure, offsetof(sae_latent_stats, name.figure)}
#define CONTRAST(name)                                                                                     \
    {#name, offsetof(sae_latent_stats, name.estimate)}, FIGURE(name, se), FIGURE(name, low), FIGURE(name, high), \
        FIGURE(name, effect), FIGURE(name, t), FIGURE(name, p), FIGURE(name, q)
/* clang-format on */

static const ranking_column columns[] = {
    STAT(score),      STAT(mean_before),  STAT(mean_after), STAT(mean_control), STAT(freq_before),
    STAT(freq_after), STAT(freq_control), CONTRAST(delta),  CONTRAST(excess),
};
/* Behind p and q, so that the places of the columns before stay what they are. */
static const ranking_column last_columns[] = {
    FIGURE(delta, p_family), FIGURE(excess, p_family), STAT(rank_low),
    STAT(rank_high),         STAT(heldout_estimate),   STAT(heldout_p),
};
enum {
    N_COLUMNS = sizeof columns / sizeof columns[0],
    N_LAST = sizeof last_columns / sizeof last_columns[0]
};

static double value_at(const sae_latent_stats *stats, size_t offset)
{
    return *(const double *)(const void *)((const char *)stats + offset);
}

static sae_status write_csv_number(saei_atomic_file *file, double value, sae_error *err)
{
    char text[SAEI_NUMBER_BYTES];
    saei_number_format(text, value);
    return saei_atomic_file_printf(file, err, ",%s", isnan(value) ? "" : text);
}

static sae_status write_json_number(saei_atomic_file *file, const char *name, double value, sae_error *err)
{
    char text[SAEI_NUMBER_BYTES];
    saei_number_format(text, value);
    return saei_atomic_file_printf(file, err, ",\"%s\":%s", name, isfinite(value) ? text : "null");
}

static sae_status write_number(saei_atomic_file *file, sae_report_format format, const char *name,
                               double value, sae_error *err)
{
    return format == SAE_REPORT_CSV ? write_csv_number(file, value, err)
                                    : write_json_number(file, name, value, err);
}

static sae_status write_header(saei_atomic_file *file, sae_error *err)
{
    sae_status status = saei_atomic_file_printf(file, err, "latent,rank");
    for (size_t c = 0; status == SAE_OK && c < N_COLUMNS; c++)
        status = saei_atomic_file_printf(file, err, ",%s", columns[c].name);
    if (status == SAE_OK)
        status = saei_atomic_file_printf(file, err, ",p,q,p_family");
    for (size_t c = 0; status == SAE_OK && c < N_LAST; c++)
        status = saei_atomic_file_printf(file, err, ",%s", last_columns[c].name);
    return status == SAE_OK ? saei_atomic_file_printf(file, err, "\n") : status;
}

static sae_status write_columns(saei_atomic_file *file, sae_report_format format,
                                const ranking_column *column, size_t n, const sae_latent_stats *stats,
                                sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t c = 0; status == SAE_OK && c < n; c++)
        status = write_number(file, format, column[c].name, value_at(stats, column[c].offset), err);
    return status;
}

/* The bare p, q and p_family are those of the contrast that is ranked by default. */
static sae_status write_latent(saei_atomic_file *file, sae_report_format format,
                               const sae_latent_stats *stats, bool has_control, sae_error *err)
{
    bool csv = format == SAE_REPORT_CSV;
    const sae_contrast *ranked = has_control ? &stats->excess : &stats->delta;
    sae_status status = saei_atomic_file_printf(file, err, csv ? "%u,%zu" : "{\"latent\":%u,\"rank\":%zu",
                                                stats->latent, stats->rank);
    if (status == SAE_OK)
        status = write_columns(file, format, columns, N_COLUMNS, stats, err);
    if (status == SAE_OK)
        status = write_number(file, format, "p", ranked->p, err);
    if (status == SAE_OK)
        status = write_number(file, format, "q", ranked->q, err);
    if (status == SAE_OK)
        status = write_number(file, format, "p_family", ranked->p_family, err);
    if (status == SAE_OK)
        status = write_columns(file, format, last_columns, N_LAST, stats, err);
    return status == SAE_OK ? saei_atomic_file_printf(file, err, csv ? "\n" : "}\n") : status;
}

sae_status sae_ranking_save(const sae_ranking *ranking, sae_context *context, const char *path,
                            sae_report_format format, bool overwrite, sae_error *err)
{
    if (format != SAE_REPORT_CSV && format != SAE_REPORT_JSONL)
        return saei_fail(err, SAE_E_ARGUMENT, "report format %d: no such format", (int)format);
    saei_atomic_file *file = NULL;
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK && format == SAE_REPORT_CSV)
        status = write_header(file, err);
    bool has_control = sae_ranking_has_control(ranking);
    for (size_t i = 0; status == SAE_OK && i < sae_ranking_count(ranking); i++)
        status = write_latent(file, format, sae_ranking_at(ranking, i), has_control, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}
