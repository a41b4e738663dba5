/* Dumps made of two others. */
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "dump/handle.h"
#include "dump/same_rows.h"
#include "dump/sides.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void sae_pair_options_init(sae_pair_options *options)
{
    *options = (sae_pair_options){.size = sizeof *options};
}

static sae_status name_dump(sae_dump *dump, const char *first, const char *sign, const char *second,
                            sae_error *err)
{
    size_t bytes = strlen(first) + strlen(sign) + strlen(second) + 1;
    sae_status status = saei_alloc(&dump->name, dump->context, bytes, 1, err);
    if (status == SAE_OK)
        snprintf(dump->name, bytes, "%s%s%s", first, sign, second);
    return status;
}

/* The columns are read through `before` when they are asked for. */
static sae_status take_columns(saei_shard *shard, const sae_dump *before, sae_error *err)
{
    size_t n = sae_dump_columns(before);
    sae_status status = saei_alloc(&shard->columns, before->context, n, sizeof *shard->columns, err);
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        shard->columns[i] = (saei_column){.source = SAEI_COLUMN_DUMP, .dump = before};
        status = saei_strdup(&shard->columns[i].name, before->context, sae_dump_column_name(before, i), err);
        shard->n_columns += status == SAE_OK;
    }
    return status;
}

static sae_status fill(sae_dump *dump, const sae_dump *before, const sae_dump *after, saei_joining joining,
                       const double scale[2], sae_error *err)
{
    sae_status status = joining == SAEI_PAIR ? name_dump(dump, before->name, " and ", after->name, err)
                                             : name_dump(dump, after->name, " minus ", before->name, err);
    if (status == SAE_OK)
        status = saei_block_cache_new(&dump->cache, dump->context, 0, 0, err);
    if (status == SAE_OK)
        status = saei_alloc(&dump->shards, dump->context, 1, sizeof *dump->shards, err);
    if (status != SAE_OK)
        return status;
    dump->n_shards = 1;
    saei_shard *shard = &dump->shards[0];
    *shard = (saei_shard){.name = dump->name,
                          .d = dump->d,
                          .rows = sae_dump_rows(before),
                          .rows_per_entry = 1,
                          .block_rows = 1,
                          .any_run = true};
    status = saei_sides_new(&shard->sides, before, after, joining, scale, err);
    return status == SAE_OK ? take_columns(shard, before, err) : status;
}

static sae_status join(sae_dump **out, const sae_dump *before, const sae_dump *after, saei_joining joining,
                       const double scale[2], sae_error *err)
{
    sae_dump *dump;
    sae_status status = saei_alloc(&dump, before->context, 1, sizeof *dump, err);
    if (status != SAE_OK)
        return status;
    dump->context = before->context;
    dump->d = joining == SAEI_PAIR ? saei_mul(before->d, 2) : before->d;
    dump->selection = saei_selection_all(sae_dump_rows(before));
    status = fill(dump, before, after, joining, scale, err);
    if (status != SAE_OK) {
        sae_dump_free(dump);
        return status;
    }
    *out = dump;
    return SAE_OK;
}

/* 1 / mean ‖x‖, as float32 text can tell it: a pair made again with the number of a model file is the same
 * pair. */
static sae_status measure_scale(double *scale, const sae_dump *side, const sae_pair_options *o,
                                sae_error *err)
{
    if (*scale > 0)
        return SAE_OK;
    saei_dump_scan_result scan;
    sae_status status = saei_dump_scan(&scan, side, o->progress, o->progress_user, err);
    if (status != SAE_OK)
        return status;
    saei_free(side->context, scan.mean);
    if (!(scan.mean_norm > 0))
        return saei_fail(err, SAE_E_ARGUMENT, "%s: all rows are zero and cannot be scaled", side->name);
    *scale = (double)(float)(1 / scan.mean_norm);
    return SAE_OK;
}

sae_status sae_dump_pair(sae_dump **out, const sae_dump *before, const sae_dump *after,
                         const sae_pair_options *options, sae_error *err)
{
    *out = NULL;
    sae_pair_options o;
    sae_pair_options_init(&o);
    sae_status status = saei_options_read(&o, sizeof o, options, err);
    double scale[2] = {o.before_scale, o.after_scale};
    for (size_t side = 0; side < 2 && status == SAE_OK; side++)
        if (!(scale[side] >= 0) || isinf(scale[side]))
            status = saei_fail(err, SAE_E_ARGUMENT, "pair: scale %g: it must be above 0, or 0 to be measured",
                               scale[side]);
    if (status == SAE_OK)
        status = saei_dump_same_rows(before, after, NULL, err);
    if (status == SAE_OK)
        status = measure_scale(&scale[0], before, &o, err);
    if (status == SAE_OK)
        status = measure_scale(&scale[1], after, &o, err);
    return status == SAE_OK ? join(out, before, after, SAEI_PAIR, scale, err) : status;
}

sae_status sae_dump_difference(sae_dump **out, const sae_dump *before, const sae_dump *after, sae_error *err)
{
    *out = NULL;
    const double raw[2] = {1, 1};
    sae_status status = saei_dump_same_rows(before, after, NULL, err);
    return status == SAE_OK ? join(out, before, after, SAEI_DIFFERENCE, raw, err) : status;
}

saei_joined saei_dump_joined(const sae_dump *dump)
{
    const saei_sides *sides = dump->shards[0].sides;
    return sides != NULL ? saei_sides_describe(sides) : (saei_joined){0};
}
