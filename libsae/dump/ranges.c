#include "dump/ranges.h"
#include "base/memory.h"

void saei_ranges_free(saei_ranges *ranges, sae_context *context)
{
    saei_free(context, ranges->starts);
    ranges->starts = NULL;
}

/* The last sequence that begins at or before the row: it holds the row, for those that are empty end there.
 */
static size_t range_of(const saei_ranges *ranges, uint64_t row)
{
    size_t low = 0, high = ranges->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (ranges->starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void saei_ranges_read(double *out, const saei_column *column, uint64_t first, uint64_t count)
{
    const saei_ranges *ranges = column->ranges;
    bool wants_prompt = column->source == SAEI_COLUMN_PROMPT;
    uint64_t row = column->first + first;
    size_t at = range_of(ranges, row);
    for (uint64_t i = 0; i < count; i++, row++) {
        while (ranges->starts[at + 1] <= row)
            at++;
        out[i] = (double)(wants_prompt ? column->first_prompt + at : row - ranges->starts[at]);
    }
}
