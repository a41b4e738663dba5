#include "io/pickle_memo.h"
#include "base/memory.h"

enum { ROOM_MIN = 64 };

/* The slot of the key, or the free one where it belongs. */
static size_t slot_of(const saei_pickle_memo *memo, uint32_t key)
{
    size_t mask = memo->room - 1, at = (key * (uint64_t)0x9E3779B97F4A7C15u >> 32) & mask;
    while (memo->slots[at].used && memo->slots[at].key != key)
        at = (at + 1) & mask;
    return at;
}

static sae_status grow(saei_pickle_memo *memo, sae_context *context, sae_error *err)
{
    saei_pickle_memo larger = {.n = memo->n, .room = memo->room > 0 ? 2 * memo->room : ROOM_MIN};
    sae_status status = saei_alloc(&larger.slots, context, larger.room, sizeof *larger.slots, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < memo->room; i++)
        if (memo->slots[i].used)
            larger.slots[slot_of(&larger, memo->slots[i].key)] = memo->slots[i];
    saei_free(context, memo->slots);
    *memo = larger;
    return SAE_OK;
}

sae_status saei_pickle_memo_put(saei_pickle_memo *memo, sae_context *context, uint32_t key,
                                saei_pickle_value value, sae_error *err)
{
    if (2 * (memo->n + 1) > memo->room) {
        sae_status status = grow(memo, context, err);
        if (status != SAE_OK)
            return status;
    }
    size_t at = slot_of(memo, key);
    memo->n += !memo->slots[at].used;
    memo->slots[at].used = true;
    memo->slots[at].key = key;
    memo->slots[at].value = value;
    return SAE_OK;
}

const saei_pickle_value *saei_pickle_memo_get(const saei_pickle_memo *memo, uint32_t key)
{
    if (memo->room == 0)
        return NULL;
    size_t at = slot_of(memo, key);
    return memo->slots[at].used ? &memo->slots[at].value : NULL;
}

void saei_pickle_memo_free(saei_pickle_memo *memo, sae_context *context)
{
    saei_free(context, memo->slots);
    *memo = (saei_pickle_memo){0};
}
