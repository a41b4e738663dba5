#include "dump/outliers.h"
#include "base/memory.h"
#include "dump/dump.h"
#include "dump/handle.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MANTISSA_BITS_LEFT_OUT = 18 };
static const double times_the_median = 10;

/* Bins ascend with the norm, since the bits of floats >= 0 do. */
static size_t bin_of(double norm)
{
    float x = norm < (double)FLT_MAX ? (float)norm : FLT_MAX;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> MANTISSA_BITS_LEFT_OUT;
}

static double lower_edge(size_t bin)
{
    uint32_t bits = (uint32_t)bin << MANTISSA_BITS_LEFT_OUT;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

void saei_norms_add(saei_norms *norms, const double *norm2, size_t n, uint64_t first)
{
    for (size_t i = 0; i < n; i++) {
        norms->bins[bin_of(sqrt(norm2[i]))]++;
        if (norm2[i] > norms->largest2) {
            norms->largest2 = norm2[i];
            norms->largest_row = first + i;
        }
    }
}

/* The bin of the middle row; bin 0 holds the rows of length 0, which are padding and no measure of the
 * others. */
static size_t median_bin(const saei_norms *norms)
{
    uint64_t rows = 0, below = 0;
    for (size_t bin = 1; bin < SAEI_NORM_BINS; bin++)
        rows += norms->bins[bin];
    size_t bin = 1;
    while (bin < SAEI_NORM_BINS - 1 && (below += norms->bins[bin]) * 2 < rows)
        bin++;
    return rows > 0 ? bin : 0;
}

sae_outliers saei_norms_outliers(const saei_norms *norms, const sae_dump *dump)
{
    sae_outliers out = {.largest = sqrt(norms->largest2), .largest_row = norms->largest_row, .position = NAN};
    size_t middle = median_bin(norms);
    if (middle == 0)
        return out;
    out.median = (lower_edge(middle) + lower_edge(middle + 1)) / 2;
    size_t bin = bin_of(times_the_median * out.median) + 1;
    out.limit = lower_edge(bin);
    for (; bin < SAEI_NORM_BINS; bin++)
        out.rows += norms->bins[bin];
    /* A column that cannot be read is no reason to refuse the rows. */
    if (sae_dump_has_column(dump, "position") &&
        saei_dump_read_column_part(&out.position, dump, "position", out.largest_row, 1, NULL) != SAE_OK)
        out.position = NAN;
    return out;
}

sae_status sae_dump_outliers(sae_outliers *out, const sae_dump *dump, sae_progress_fn progress, void *user,
                             sae_error *err)
{
    saei_dump_scan_result scan;
    sae_status status = saei_dump_scan(&scan, dump, progress, user, err);
    if (status != SAE_OK)
        return status;
    *out = scan.outliers;
    saei_free(saei_dump_context(dump), scan.mean);
    return SAE_OK;
}
