/* Rows that hold NaN or Inf. */
#include "base/error.h"
#include "base/memory.h"
#include "dump/handle.h"
#include "num/finite.h"

#include <inttypes.h>
#include <stdio.h>

enum { PASS_ROWS = 1024 };

typedef void (*bad_row_fn)(void *arg, uint64_t row);

/* Calls each(arg, row of the files) for every selected row with NaN or Inf. The selection must not change
   during the pass. */
static sae_status pass_over_bad_rows(const sae_dump *dump, bad_row_fn each, void *arg, sae_error *err)
{
    size_t d = dump->d;
    float *rows = NULL;
    sae_status status = saei_alloc(&rows, dump->context, saei_mul(PASS_ROWS, d), sizeof *rows, err);
    if (status != SAE_OK)
        return status;
    uint64_t total = sae_dump_rows(dump);
    for (uint64_t first = 0; first < total && status == SAE_OK; first += PASS_ROWS) {
        size_t count = (size_t)(total - first < PASS_ROWS ? total - first : PASS_ROWS);
        bool finite = true;
        status = saei_dump_read_raw(rows, &finite, dump, first, count, NULL, err);
        if (status != SAE_OK || finite)
            continue;
        for (size_t i = 0; i < count; i++)
            if (!saei_all_finite(rows + i * d, d))
                each(arg, saei_selection_at(&dump->selection, first + i));
    }
    saei_free(dump->context, rows);
    return status;
}

typedef struct bad_rows {
    uint64_t count, first;
} bad_rows;

static void count_bad_row(void *arg, uint64_t row)
{
    bad_rows *bad = arg;
    if (bad->count++ == 0)
        bad->first = row;
}

sae_status saei_dump_fail_nonfinite(const sae_dump *dump, sae_error *err)
{
    bad_rows bad = {0};
    sae_status status = pass_over_bad_rows(dump, count_bad_row, &bad, err);
    if (status != SAE_OK)
        return status;
    if (bad.count == 0)
        return saei_fail(err, SAE_E_MISMATCH, "%s: changed while it was being read", dump->name);
    const saei_shard *shard = saei_dump_shard_of(dump, bad.first);
    char of_file[256] = "";
    if (dump->n_shards > 1)
        snprintf(of_file, sizeof of_file, " of %s", shard->name);
    return saei_fail(err, SAE_E_NONFINITE,
                     "%s: %" PRIu64 " of %" PRIu64 " rows hold NaN or Inf (the first is row %" PRIu64
                     "%s): leave them out with --drop-nonfinite",
                     dump->name, bad.count, sae_dump_rows(dump), bad.first - shard->first, of_file);
}

static void mark_bad_row(void *arg, uint64_t row)
{
    saei_selection_set(arg, row, true);
}

sae_status saei_dump_drop_nonfinite(sae_dump *dump, sae_error *err)
{
    /* A bitmap of its own: the pass walks the selection that this function changes. */
    saei_selection bad = saei_selection_all(dump->selection.total);
    sae_status status = saei_selection_allocate(&bad, dump->context, false, err);
    if (status == SAE_OK)
        status = pass_over_bad_rows(dump, mark_bad_row, &bad, err);
    if (status != SAE_OK)
        goto done;
    saei_selection_count(&bad);
    if (bad.count == 0)
        goto done;
    if (bad.count == dump->selection.count) {
        status = saei_fail(err, SAE_E_NONFINITE, "%s: all %" PRIu64 " rows hold NaN or Inf", dump->name,
                           bad.count);
        goto done;
    }
    status = saei_selection_allocate(&dump->selection, dump->context, true, err);
    if (status != SAE_OK)
        goto done;
    saei_selection_subtract(&dump->selection, &bad);
    saei_selection_count(&dump->selection);
    dump->dropped = bad.count;
done:
    saei_selection_free(&bad, dump->context);
    return status;
}
