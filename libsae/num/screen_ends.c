/* Where the k-th largest pre-activations of rows lie, to begin the next rows' screening near there. */
#include "num/screen_ends.h"

#include <string.h>

/* Of positive floats the sign, the exponent and five bits of the fraction: 32 numbers to an octave. From
   2^-16 on; below it, and for no k-th at all, it is 0. */
enum { FRACTION_BITS = 18, FIRST = (127 - 16) << 5, RARE = 128 };

void saei_screen_note_end(saei_screen_counts *counts, float end)
{
    int32_t bits;
    memcpy(&bits, &end, sizeof bits);
    int32_t at = (bits >> FRACTION_BITS) - FIRST;
    if (!(end > 0.0f) || at < 0)
        at = 0;
    counts->ends[at < SAEI_SCREEN_ENDS ? at : SAEI_SCREEN_ENDS - 1]++;
}

float saei_screen_start(const uint64_t ends[SAEI_SCREEN_ENDS])
{
    uint64_t rows = 0, below = 0;
    for (size_t at = 0; at < SAEI_SCREEN_ENDS; at++)
        rows += ends[at];
    size_t at = 0;
    while (at < SAEI_SCREEN_ENDS - 1 && (below += ends[at]) <= rows / RARE)
        at++;
    int32_t bits = (FIRST + (int32_t)at) << FRACTION_BITS;
    float start;
    memcpy(&start, &bits, sizeof start);
    return rows == 0 || at == 0 ? 0.0f : start;
}

static void add(saei_screen_counts *sum, const saei_screen_counts *counts)
{
    sum->rows += counts->rows;
    sum->candidates += counts->candidates;
    sum->overflows += counts->overflows;
    sum->refined += counts->refined;
    sum->restarted += counts->restarted;
    for (size_t at = 0; at < SAEI_SCREEN_ENDS; at++)
        sum->ends[at] += counts->ends[at];
}

void saei_screen_counts_add(saei_screen_counts *sum, const saei_screen_counts *counts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(sum, counts + i);
}
