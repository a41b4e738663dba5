#include "train/batch_selection.h"

#include <string.h>

/* Positive floats are ordered as their bits are: three digits of a radix select. */
enum { DIGITS = 3, BINS = 1 << 11 };

static const unsigned shifts[DIGITS] = {21, 10, 0};
static const uint32_t widths[DIGITS] = {11, 11, 10};

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Counts the values whose higher digits are those of prefix by their next digit. */
static void count_digit(uint64_t *count, const saei_code_slots *codes, size_t rows, size_t k, uint32_t prefix,
                        int digit)
{
    uint32_t mask = (1u << widths[digit]) - 1;
    unsigned above = shifts[digit] + widths[digit];
    memset(count, 0, BINS * sizeof *count);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = r * k; i < r * k + codes->count[r]; i++) {
            uint32_t bits = bits_of(codes->value[i]);
            if (above >= 32 || bits >> above == prefix >> above)
                count[bits >> shifts[digit] & mask]++;
        }
}

/* The bits of the keep-th largest value; *ties of those equal to it are among the keep largest. */
static uint32_t cut_at(uint64_t *ties, const saei_code_slots *codes, size_t rows, size_t k, uint64_t keep)
{
    uint64_t count[BINS];
    uint32_t prefix = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
        count_digit(count, codes, rows, k, prefix, digit);
        uint32_t bin = (1u << widths[digit]) - 1;
        for (; bin > 0 && count[bin] < keep; bin--)
            keep -= count[bin];
        prefix |= bin << shifts[digit];
    }
    *ties = keep;
    return prefix;
}

float saei_batch_selection(saei_code_slots *codes, size_t rows, size_t k, size_t keep)
{
    uint64_t total = 0, ties;
    for (size_t r = 0; r < rows; r++)
        total += codes->count[r];
    if (total <= keep)
        return 0.0f;
    uint32_t cut = cut_at(&ties, codes, rows, k, keep);
    float threshold;
    memcpy(&threshold, &cut, sizeof threshold);
    for (size_t r = 0; r < rows; r++) {
        size_t kept = r * k;
        for (size_t i = r * k; i < r * k + codes->count[r]; i++) {
            bool tie = codes->value[i] == threshold && ties > 0;
            if (!(codes->value[i] > threshold || tie))
                continue;
            ties -= tie;
            codes->value[kept] = codes->value[i];
            codes->latent[kept++] = codes->latent[i];
        }
        codes->count[r] = (uint32_t)(kept - r * k);
    }
    return threshold;
}
