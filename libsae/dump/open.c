/* Dumps over files. */
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "dump/handle.h"
#include "dump/padding.h"
#include "dump/ranges.h"
#include "dump/shard_open.h"
#include "dump/sources.h"
#include "dump/store.h"

#include <errno.h>
#include <string.h>

void sae_dump_options_init(sae_dump_options *options)
{
    *options = (sae_dump_options){.size = sizeof *options};
}

static sae_status same_columns(const saei_shard *a, const saei_shard *b, sae_error *err)
{
    for (size_t i = 0; i < a->n_columns || i < b->n_columns; i++) {
        int order = i == a->n_columns   ? 1
                    : i == b->n_columns ? -1
                                        : strcmp(a->columns[i].name, b->columns[i].name);
        if (order < 0)
            return saei_fail(err, SAE_E_MISMATCH, "%s: no column '%s', which %s has", b->name,
                             a->columns[i].name, a->name);
        if (order > 0)
            return saei_fail(err, SAE_E_MISMATCH, "%s: a column '%s', which %s has not", b->name,
                             b->columns[i].name, a->name);
    }
    return SAE_OK;
}

static sae_status open_shards(sae_dump *dump, const saei_sources *sources, const char *dataset,
                              sae_error *err)
{
    uint64_t rows = 0, sequences = 0;
    for (size_t i = 0; i < sources->n_files; i++) {
        saei_shard *shard = &dump->shards[i];
        const char *path = sources->files[i].path;
        sae_status status = saei_shard_open(shard, dump->context, path, dataset, err);
        if (status != SAE_OK && err != NULL && err->os_errno == EMFILE)
            return saei_fail_errno(
                err, EMFILE, "%s: each of the %zu files of a dump stays open; raise the limit (ulimit -n)",
                path, sources->n_files);
        if (status != SAE_OK)
            return status;
        dump->n_shards++;
        if (shard->d != dump->shards[0].d)
            return saei_fail(err, SAE_E_MISMATCH, "%s: rows of width %zu, but those of %s have %zu",
                             shard->name, shard->d, dump->shards[0].name, dump->shards[0].d);
        shard->first = rows;
        shard->first_sequence = sequences;
        sequences += shard->array->shape[0];
        if (__builtin_add_overflow(rows, shard->rows, &rows))
            return saei_fail(err, SAE_E_FORMAT, "%s: too many rows", shard->name);
    }
    if (rows == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: '%s' has no rows", dump->name,
                         dump->shards[0].array->name);
    dump->d = dump->shards[0].d;
    dump->selection = saei_selection_all(rows);
    return SAE_OK;
}

/* The shards of a store follow one another: its tokens and sequences are those of all of them. */
static sae_status add_store_columns(sae_dump *dump, const saei_sources *sources, sae_error *err)
{
    uint64_t prompts = 0;
    sae_status status =
        saei_alloc(&dump->ranges, dump->context, sources->n_stores, sizeof *dump->ranges, err);
    for (size_t i = 0, end; i < dump->n_shards && status == SAE_OK; i = end) {
        size_t store = sources->files[i].store;
        for (end = i + 1; end < dump->n_shards && sources->files[end].store == store; end++)
            ;
        uint64_t more = 0;
        if (store > 0)
            status = saei_store_columns(&more, dump, sources->stores[store - 1], i, end - i, prompts, err);
        prompts += more;
    }
    for (size_t i = 1; i < dump->n_shards && status == SAE_OK; i++)
        status = same_columns(&dump->shards[0], &dump->shards[i], err);
    return status;
}

static void select_rows(void *arg, const unsigned char *holds, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (holds[i])
            saei_selection_set(arg, first + i, true);
}

static sae_status select_where(sae_dump *dump, const char *where, sae_error *err)
{
    saei_selection *selection = &dump->selection;
    sae_status status = saei_selection_allocate(selection, dump->context, false, err);
    if (status == SAE_OK)
        status = saei_dump_match_all(dump, where, select_rows, selection, err);
    if (status != SAE_OK)
        return status;
    saei_selection_count(selection);
    if (selection->count == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "%s: no row matches --where '%.200s'", dump->name, where);
    return SAE_OK;
}

static sae_status fill(sae_dump *dump, const saei_sources *sources, const sae_dump_options *options,
                       sae_error *err)
{
    sae_context *context = dump->context;
    sae_status status = saei_alloc(&dump->shards, context, sources->n_files, sizeof *dump->shards, err);
    if (status == SAE_OK)
        status = open_shards(dump, sources, options->dataset, err);
    if (status == SAE_OK)
        status = add_store_columns(dump, sources, err);
    if (status == SAE_OK)
        status = saei_block_cache_new(&dump->cache, context, saei_dump_block_floats(dump),
                                      saei_dump_packed_bytes(dump), err);
    if (status == SAE_OK && options->where != NULL)
        status = select_where(dump, options->where, err);
    if (status == SAE_OK)
        status = saei_dump_drop_padding(dump, err);
    if (status == SAE_OK && options->drop_nonfinite)
        status = saei_dump_drop_nonfinite(dump, err);
    return status;
}

sae_status sae_dump_open(sae_dump **out, sae_context *context, const char *const *paths, size_t n_paths,
                         const sae_dump_options *options, sae_error *err)
{
    *out = NULL;
    sae_dump_options chosen;
    sae_dump_options_init(&chosen);
    sae_status status = saei_options_read(&chosen, sizeof chosen, options, err);
    if (status != SAE_OK)
        return status;
    if (n_paths == 0)
        return saei_fail(err, SAE_E_ARGUMENT, "a dump needs at least one file");
    sae_dump *dump = NULL;
    status = saei_alloc(&dump, context, 1, sizeof *dump, err);
    if (status != SAE_OK)
        return status;
    dump->context = context;
    saei_sources sources;
    status = saei_strdup(&dump->name, context, paths[0], err);
    if (status == SAE_OK)
        status = saei_sources_expand(&sources, context, paths, n_paths, err);
    else
        sources = (saei_sources){0};
    if (status == SAE_OK)
        status = fill(dump, &sources, &chosen, err);
    saei_sources_free(&sources);
    if (status != SAE_OK) {
        sae_dump_free(dump);
        return status;
    }
    *out = dump;
    return SAE_OK;
}
