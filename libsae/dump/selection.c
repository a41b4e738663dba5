#include "dump/selection.h"
#include "base/memory.h"

#include <assert.h>

enum { WORD_BITS = 64, BLOCK_WORDS = 8, BLOCK_BITS = WORD_BITS * BLOCK_WORDS };

static size_t words_of(const saei_selection *selection)
{
    return (size_t)(selection->total / WORD_BITS + (selection->total % WORD_BITS != 0));
}

static size_t blocks_of(const saei_selection *selection)
{
    return words_of(selection) / BLOCK_WORDS + 1;
}

saei_selection saei_selection_all(uint64_t total)
{
    return (saei_selection){.total = total, .count = total};
}

sae_status saei_selection_allocate(saei_selection *selection, sae_context *context, bool kept, sae_error *err)
{
    if (selection->bits != NULL)
        return SAE_OK;
    uint64_t *bits = NULL, *before = NULL;
    size_t words = words_of(selection);
    sae_status status = saei_alloc(&bits, context, words, sizeof *bits, err);
    if (status == SAE_OK)
        status = saei_alloc(&before, context, blocks_of(selection), sizeof *before, err);
    if (status != SAE_OK) {
        saei_free(context, bits);
        return status;
    }
    for (size_t i = 0; i < words; i++)
        bits[i] = kept ? ~(uint64_t)0 : 0;
    /* Bits beyond the last row stay 0: counts and searches need no special case at the end. */
    if (kept && selection->total % WORD_BITS != 0)
        bits[words - 1] = ((uint64_t)1 << selection->total % WORD_BITS) - 1;
    selection->bits = bits;
    selection->before = before;
    return SAE_OK;
}

void saei_selection_free(saei_selection *selection, sae_context *context)
{
    saei_free(context, selection->bits);
    saei_free(context, selection->before);
    *selection = (saei_selection){0};
}

void saei_selection_set(saei_selection *selection, uint64_t row, bool kept)
{
    assert(selection->bits != NULL && row < selection->total);
    uint64_t bit = (uint64_t)1 << row % WORD_BITS, *word = &selection->bits[row / WORD_BITS];
    *word = kept ? *word | bit : *word & ~bit;
}

void saei_selection_subtract(saei_selection *selection, const saei_selection *other)
{
    assert(selection->total == other->total && selection->bits != NULL && other->bits != NULL);
    size_t words = words_of(selection);
    for (size_t i = 0; i < words; i++)
        selection->bits[i] &= ~other->bits[i];
}

void saei_selection_count(saei_selection *selection)
{
    if (selection->bits == NULL)
        return;
    size_t words = words_of(selection);
    uint64_t count = 0;
    for (size_t i = 0; i < words; i++) {
        if (i % BLOCK_WORDS == 0)
            selection->before[i / BLOCK_WORDS] = count;
        count += (uint64_t)__builtin_popcountll(selection->bits[i]);
    }
    selection->count = count;
}

uint64_t saei_selection_at(const saei_selection *selection, uint64_t i)
{
    assert(i < selection->count);
    if (selection->bits == NULL)
        return i;
    size_t low = 0, high = (words_of(selection) + BLOCK_WORDS - 1) / BLOCK_WORDS;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (selection->before[middle] <= i)
            low = middle;
        else
            high = middle;
    }
    uint64_t left = i - selection->before[low];
    size_t word = low * BLOCK_WORDS;
    for (;; word++) {
        uint64_t here = (uint64_t)__builtin_popcountll(selection->bits[word]);
        if (left < here)
            break;
        left -= here;
    }
    uint64_t bits = selection->bits[word];
    for (; left > 0; left--)
        bits &= bits - 1;
    return (uint64_t)word * WORD_BITS + (uint64_t)__builtin_ctzll(bits);
}

uint64_t saei_selection_next(const saei_selection *selection, uint64_t row)
{
    if (selection->bits == NULL || row >= selection->total)
        return row < selection->total ? row : selection->total;
    size_t words = words_of(selection), word = (size_t)(row / WORD_BITS);
    uint64_t bits = selection->bits[word] & (~(uint64_t)0 << row % WORD_BITS);
    while (bits == 0) {
        if (++word == words)
            return selection->total;
        bits = selection->bits[word];
    }
    return (uint64_t)word * WORD_BITS + (uint64_t)__builtin_ctzll(bits);
}

uint64_t saei_selection_run(const saei_selection *selection, uint64_t row, uint64_t limit)
{
    assert(limit <= selection->total && row <= selection->total - limit);
    if (selection->bits == NULL)
        return limit;
    uint64_t length = 0;
    while (length < limit) {
        uint64_t at = row + length, room = WORD_BITS - at % WORD_BITS;
        uint64_t gaps = ~(selection->bits[at / WORD_BITS] >> at % WORD_BITS);
        uint64_t ones = gaps == 0 ? WORD_BITS : (uint64_t)__builtin_ctzll(gaps);
        if (ones < room) {
            length += ones;
            break;
        }
        length += room;
    }
    return length < limit ? length : limit;
}
