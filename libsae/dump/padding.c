#include "dump/padding.h"
#include "base/context.h"
#include "base/error.h"
#include "dump/handle.h"

#include <inttypes.h>

static const char *mask_of(const sae_dump *dump)
{
    static const char *const names[] = {"mask", "attention_mask"};
    for (size_t i = 0; i < 2; i++) {
        const saei_column *column = saei_shard_column(&dump->shards[0], names[i]);
        if (column != NULL && column->source == SAEI_COLUMN_ARRAY &&
            !saei_dtype_is_float(column->array->dtype))
            return names[i];
    }
    return NULL;
}

static void mark_padding(void *arg, const unsigned char *is_token, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (!is_token[i])
            saei_selection_set(arg, first + i, true);
}

sae_status saei_dump_drop_padding(sae_dump *dump, sae_error *err)
{
    const char *mask = mask_of(dump);
    if (mask == NULL)
        return SAE_OK;
    uint64_t before = dump->selection.count;
    saei_selection padding = saei_selection_all(dump->selection.total);
    sae_status status = saei_selection_allocate(&padding, dump->context, false, err);
    if (status == SAE_OK)
        status = saei_dump_match_all(dump, mask[0] == 'm' ? "mask!=0" : "attention_mask!=0", mark_padding,
                                     &padding, err);
    if (status == SAE_OK)
        status = saei_selection_allocate(&dump->selection, dump->context, true, err);
    if (status == SAE_OK) {
        saei_selection_subtract(&dump->selection, &padding);
        saei_selection_count(&dump->selection);
        if (dump->selection.count == 0)
            status =
                saei_fail(err, SAE_E_ARGUMENT, "%s: the column '%s' is 0 for all rows", dump->name, mask);
        else if (dump->selection.count < before)
            saei_log(dump->context, "%s: %" PRIu64 " rows of padding left out (column %s)", dump->name,
                     before - dump->selection.count, mask);
    }
    saei_selection_free(&padding, dump->context);
    return status;
}
