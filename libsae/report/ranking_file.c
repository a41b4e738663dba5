#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "report/report_sink.h"
#include "sae/report.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

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
/* Behind p, q and p_family, so that the places of the columns before stay what they are. */
static const ranking_column last_columns[] = {
    FIGURE(delta, p_family), FIGURE(excess, p_family), STAT(rank_low),
    STAT(rank_high),         STAT(heldout_estimate),   STAT(heldout_p),
};
enum {
    N_COLUMNS = sizeof columns / sizeof columns[0],
    N_RANKED = 3,
    N_LAST = sizeof last_columns / sizeof last_columns[0],
    N_ALL = N_COLUMNS + N_RANKED + N_LAST
};

/* Column c of all that are numbers. The bare p, q and p_family are those of the contrast that is ranked by
   default. */
static ranking_column column_at(size_t c, bool has_control)
{
    static const ranking_column ranked[2][N_RANKED] = {
        {{"p", offsetof(sae_latent_stats, delta.p)},
         {"q", offsetof(sae_latent_stats, delta.q)},
         {"p_family", offsetof(sae_latent_stats, delta.p_family)}},
        {{"p", offsetof(sae_latent_stats, excess.p)},
         {"q", offsetof(sae_latent_stats, excess.q)},
         {"p_family", offsetof(sae_latent_stats, excess.p_family)}},
    };
    if (c < N_COLUMNS)
        return columns[c];
    return c < N_COLUMNS + N_RANKED ? ranked[has_control][c - N_COLUMNS]
                                    : last_columns[c - N_COLUMNS - N_RANKED];
}

static double value_at(const sae_latent_stats *stats, size_t offset)
{
    return *(const double *)(const void *)((const char *)stats + offset);
}

static sae_status write_number(saei_atomic_file *file, sae_report_format format, const char *name,
                               double value, sae_error *err)
{
    char text[SAEI_NUMBER_BYTES];
    saei_number_format(text, value);
    if (format == SAE_REPORT_CSV)
        return saei_atomic_file_printf(file, err, ",%s", isnan(value) ? "" : text);
    return saei_atomic_file_printf(file, err, ",\"%s\":%s", name, isfinite(value) ? text : "null");
}

static sae_status write_header(saei_atomic_file *file, bool has_control, sae_error *err)
{
    sae_status status = saei_atomic_file_printf(file, err, "latent,rank");
    for (size_t c = 0; status == SAE_OK && c < N_ALL; c++)
        status = saei_atomic_file_printf(file, err, ",%s", column_at(c, has_control).name);
    return status == SAE_OK ? saei_atomic_file_printf(file, err, "\n") : status;
}

static sae_status write_latent(saei_atomic_file *file, sae_report_format format,
                               const sae_latent_stats *stats, bool has_control, sae_error *err)
{
    bool csv = format == SAE_REPORT_CSV;
    sae_status status = saei_atomic_file_printf(file, err, csv ? "%u,%zu" : "{\"latent\":%u,\"rank\":%zu",
                                                stats->latent, stats->rank);
    for (size_t c = 0; status == SAE_OK && c < N_ALL; c++) {
        const ranking_column column = column_at(c, has_control);
        status = write_number(file, format, column.name, value_at(stats, column.offset), err);
    }
    return status == SAE_OK ? saei_atomic_file_printf(file, err, csv ? "\n" : "}\n") : status;
}

static sae_status save_text(const sae_ranking *ranking, sae_context *context, const char *path,
                            sae_report_format format, bool overwrite, sae_error *err)
{
    saei_atomic_file *file = NULL;
    bool has_control = sae_ranking_has_control(ranking);
    sae_status status =
        saei_atomic_file_open(&file, context, path, overwrite ? SAEI_OVERWRITE : SAEI_KEEP_EXISTING, err);
    if (status == SAE_OK && format == SAE_REPORT_CSV)
        status = write_header(file, has_control, err);
    for (size_t i = 0; status == SAE_OK && i < sae_ranking_count(ranking); i++)
        status = write_latent(file, format, sae_ranking_at(ranking, i), has_control, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    return status;
}

/* One array a column, all [n] in the order of the ranks. */
static sae_status write_arrays(saei_array_sink *sink, const sae_ranking *ranking, double *values,
                               uint32_t *latents, uint64_t *ranks, sae_error *err)
{
    const size_t n = sae_ranking_count(ranking);
    bool has_control = sae_ranking_has_control(ranking);
    size_t latent, rank, number[N_ALL];
    sae_status status =
        saei_array_sink_add(&latent, sink, &(saei_array_plan){"latent", SAEI_U32, n, 0, false}, err);
    if (status == SAE_OK)
        status = saei_array_sink_add(&rank, sink, &(saei_array_plan){"rank", SAEI_U64, n, 0, false}, err);
    for (size_t c = 0; c < N_ALL && status == SAE_OK; c++) {
        const saei_array_plan plan = {column_at(c, has_control).name, SAEI_F64, n, 0, false};
        status = saei_array_sink_add(&number[c], sink, &plan, err);
    }
    for (size_t i = 0; i < n; i++) {
        latents[i] = sae_ranking_at(ranking, i)->latent;
        ranks[i] = sae_ranking_at(ranking, i)->rank;
    }
    if (status == SAE_OK)
        status = saei_array_sink_append(sink, latent, latents, n, err);
    if (status == SAE_OK)
        status = saei_array_sink_append(sink, rank, ranks, n, err);
    for (size_t c = 0; c < N_ALL && status == SAE_OK; c++) {
        for (size_t i = 0; i < n; i++)
            values[i] = value_at(sae_ranking_at(ranking, i), column_at(c, has_control).offset);
        status = saei_array_sink_append(sink, number[c], values, n, err);
    }
    return status;
}

static sae_status write_texts(saei_array_sink *sink, const sae_ranking *ranking, sae_error *err)
{
    const char *paired = sae_ranking_paired(ranking) ? "true" : "false",
               *warning = sae_ranking_warning(ranking);
    sae_status status = saei_array_sink_text(sink, "format", "libsae-ranking", err);
    if (status == SAE_OK)
        status = saei_report_count(sink, "prompts", sae_ranking_prompts(ranking), err);
    if (status == SAE_OK)
        status = saei_array_sink_text(sink, "paired", paired, err);
    return status == SAE_OK && warning != NULL ? saei_array_sink_text(sink, "warning", warning, err) : status;
}

static sae_status save_arrays(const sae_ranking *ranking, sae_context *context, const char *path,
                              bool overwrite, sae_error *err)
{
    saei_array_sink *sink;
    double *values = NULL;
    uint32_t *latents = NULL;
    uint64_t *ranks = NULL;
    size_t n = sae_ranking_count(ranking);
    sae_status status = saei_report_sink_open(&sink, context, path, overwrite, err);
    if (status == SAE_OK)
        status = saei_alloc(&values, context, n, sizeof *values, err);
    if (status == SAE_OK)
        status = saei_alloc(&latents, context, n, sizeof *latents, err);
    if (status == SAE_OK)
        status = saei_alloc(&ranks, context, n, sizeof *ranks, err);
    if (status == SAE_OK)
        status = write_texts(sink, ranking, err);
    if (status == SAE_OK)
        status = write_arrays(sink, ranking, values, latents, ranks, err);
    if (status == SAE_OK)
        status = saei_array_sink_finish(&sink, err);
    saei_array_sink_discard(sink);
    saei_free(context, ranks);
    saei_free(context, latents);
    saei_free(context, values);
    return status;
}

sae_report_format sae_report_format_of(const char *path)
{
    static const char *const lines[] = {".jsonl", ".ndjson"};
    saei_container container;
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t m = strlen(lines[i]);
        if (n > m && strcasecmp(path + n - m, lines[i]) == 0)
            return SAE_REPORT_JSONL;
    }
    return saei_container_of(&container, path) ? SAE_REPORT_ARRAYS : SAE_REPORT_CSV;
}

sae_status sae_ranking_save(const sae_ranking *ranking, sae_context *context, const char *path,
                            sae_report_format format, bool overwrite, sae_error *err)
{
    switch (format) {
    case SAE_REPORT_CSV:
    case SAE_REPORT_JSONL:
        return save_text(ranking, context, path, format, overwrite, err);
    case SAE_REPORT_ARRAYS:
        return save_arrays(ranking, context, path, overwrite, err);
    }
    return saei_fail(err, SAE_E_ARGUMENT, "report format %d: no such format", (int)format);
}
