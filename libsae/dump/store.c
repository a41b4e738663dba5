#include "dump/store.h"
#include "base/error.h"
#include "base/memory.h"
#include "dump/ranges.h"
#include "dump/shard_open.h"
#include "io/side_json.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

typedef struct store {
    sae_dump *dump;
    const char *folder;
    saei_shard *shards;
    size_t n_shards;
    uint64_t rows;
    sae_error *err;
} store;

static sae_status join(char **out, const store *s, const char *between, const char *name)
{
    size_t n = strlen(s->folder), m = strlen(between);
    sae_status status = saei_alloc(out, s->dump->context, n + m + strlen(name) + 1, 1, s->err);
    if (status != SAE_OK)
        return status;
    memcpy(*out, s->folder, n);
    memcpy(*out + n, between, m);
    strcpy(*out + n + m, name);
    return SAE_OK;
}

/* NAME in the folder, or in the one above; *out is NULL when it is in neither. */
static sae_status find_companion(char **out, const store *s, const char *name)
{
    static const char *const between[] = {"/", "/../"};
    for (size_t i = 0; i < 2; i++) {
        sae_status status = join(out, s, between[i], name);
        if (status != SAE_OK || access(*out, F_OK) == 0)
            return status;
        saei_free(s->dump->context, *out);
        *out = NULL;
    }
    return SAE_OK;
}

static sae_status check_count(const store *s, const json_t *config, const char *key, uint64_t found)
{
    const json_t *value = json_object_get(config, key);
    if (!json_is_integer(value) || json_integer_value(value) == (json_int_t)found)
        return SAE_OK;
    return saei_fail(s->err, SAE_E_MISMATCH,
                     "%s: config.json says %s = %lld, but %" PRIu64
                     " are there: shards are missing or surplus",
                     s->folder, key, (long long)json_integer_value(value), found);
}

static sae_status check_config(const store *s)
{
    char *path = NULL;
    json_t *config = NULL;
    sae_status status = join(&path, s, "/", "config.json");
    if (status == SAE_OK)
        status = saei_side_json_load(&config, s->dump->context, path, s->err);
    if (status == SAE_OK)
        status = check_count(s, config, "shard_count", s->n_shards);
    if (status == SAE_OK)
        status = check_count(s, config, "total_size", s->rows);
    if (status == SAE_OK)
        status = check_count(s, config, "d_model", s->shards[0].d);
    json_decref(config);
    saei_free(s->dump->context, path);
    return status;
}

/* Opens a file that holds one array of whole numbers. */
static sae_status open_array(saei_reader **out, const saei_array_info **array, const store *s,
                             const char *path)
{
    sae_status status = saei_reader_open(out, s->dump->context, path, s->err);
    if (status != SAE_OK)
        return status;
    *array = saei_reader_at(*out, 0);
    if (saei_reader_count(*out) == 1 && !saei_dtype_is_float((*array)->dtype) && (*array)->rank >= 1)
        return SAE_OK;
    saei_reader_free(*out);
    *out = NULL;
    return saei_fail(s->err, SAE_E_MISMATCH, "%s: is no single array of whole numbers", path);
}

static sae_status add_tokens(const store *s, const char *path)
{
    saei_reader *reader;
    const saei_array_info *array;
    sae_status status = open_array(&reader, &array, s, path);
    if (status != SAE_OK)
        return status;
    bool fits = array->rank == 1 && array->shape[0] == s->rows;
    uint64_t entries = array->shape[0];
    saei_reader_free(reader);
    if (!fits)
        return saei_fail(s->err, SAE_E_MISMATCH,
                         "%s: %" PRIu64 " tokens, but the shards of %s have %" PRIu64 " rows", path, entries,
                         s->folder, s->rows);
    for (size_t i = 0; i < s->n_shards && status == SAE_OK; i++) {
        saei_column column = {.source = SAEI_COLUMN_WHOLE, .first = s->shards[i].first - s->shards[0].first};
        status = saei_strdup(&column.path, s->dump->context, path, s->err);
        if (status == SAE_OK)
            status = saei_shard_add_column(&s->shards[i], s->dump->context, "token_ids", column, s->err);
    }
    return status;
}

/* Fills ranges from [n + 1] starts with the end, or from [n, 2] starts and ends; both as values. */
static bool fill_ranges(saei_ranges *ranges, const double *values, bool pairs, uint64_t rows)
{
    double end = 0;
    for (size_t i = 0; i < ranges->n; i++) {
        double start = pairs ? values[2 * i] : values[i], stop = pairs ? values[2 * i + 1] : values[i + 1];
        if (!(start == end && stop >= start && stop <= (double)rows))
            return false;
        ranges->starts[i] = (uint64_t)start;
        end = stop;
    }
    ranges->starts[ranges->n] = rows;
    return end == (double)rows;
}

static sae_status read_ranges(saei_ranges *ranges, const store *s, saei_reader *reader,
                              const saei_array_info *array)
{
    sae_context *context = s->dump->context;
    bool pairs = array->rank == 2;
    size_t entries = (size_t)array->shape[0];
    double *values = NULL;
    ranges->n = pairs ? entries : entries - 1;
    sae_status status =
        saei_alloc(&values, context, entries, pairs ? 2 * sizeof *values : sizeof *values, s->err);
    if (status == SAE_OK)
        status = saei_alloc(&ranges->starts, context, ranges->n + 1, sizeof *ranges->starts, s->err);
    if (status == SAE_OK)
        status = saei_reader_read_f64(values, reader, array, 0, entries, s->err);
    if (status == SAE_OK && !fill_ranges(ranges, values, pairs, s->rows))
        status = saei_fail(s->err, SAE_E_MISMATCH,
                           "%s: the sequences do not follow one another up to row %" PRIu64,
                           saei_reader_path(reader), s->rows);
    saei_free(context, values);
    return status;
}

static sae_status add_sequences(uint64_t *n_prompts, const store *s, const char *path, uint64_t first_prompt)
{
    saei_reader *reader;
    const saei_array_info *array;
    sae_context *context = s->dump->context;
    sae_status status = open_array(&reader, &array, s, path);
    if (status != SAE_OK)
        return status;
    saei_ranges *ranges = &s->dump->ranges[s->dump->n_ranges];
    if (array->shape[0] < 1 || array->rank > 2 || (array->rank == 2 && array->shape[1] != 2))
        status = saei_fail(s->err, SAE_E_MISMATCH, "%s: neither starts with an end nor pairs of them", path);
    if (status == SAE_OK) {
        s->dump->n_ranges++;
        status = read_ranges(ranges, s, reader, array);
    }
    saei_reader_free(reader);
    for (size_t i = 0; i < s->n_shards && status == SAE_OK; i++) {
        saei_column column = {.source = SAEI_COLUMN_PROMPT,
                              .first = s->shards[i].first - s->shards[0].first,
                              .first_prompt = first_prompt,
                              .ranges = ranges};
        status = saei_shard_add_column(&s->shards[i], context, "prompt_id", column, s->err);
        column.source = SAEI_COLUMN_IN_PROMPT;
        if (status == SAE_OK)
            status = saei_shard_add_column(&s->shards[i], context, "position", column, s->err);
    }
    *n_prompts = status == SAE_OK ? ranges->n : 0;
    return status;
}

sae_status saei_store_columns(uint64_t *n_prompts, sae_dump *dump, const char *folder, size_t first,
                              size_t count, uint64_t first_prompt, sae_error *err)
{
    store s = {dump, folder, &dump->shards[first], count, 0, err};
    char *tokens = NULL, *sequences = NULL;
    *n_prompts = 0;
    for (size_t i = 0; i < count; i++)
        s.rows += s.shards[i].rows;
    sae_status status = check_config(&s);
    if (status == SAE_OK)
        status = find_companion(&tokens, &s, "tokens.pt");
    if (status == SAE_OK && tokens != NULL)
        status = add_tokens(&s, tokens);
    if (status == SAE_OK)
        status = find_companion(&sequences, &s, "sequence_ranges.pt");
    if (status == SAE_OK && sequences != NULL)
        status = add_sequences(n_prompts, &s, sequences, first_prompt);
    for (size_t i = 0; i < count; i++)
        saei_shard_sort_columns(&s.shards[i]);
    saei_free(dump->context, tokens);
    saei_free(dump->context, sequences);
    return status;
}
