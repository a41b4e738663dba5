#include "dump/write_column.h"

#include <math.h>
#include <string.h>

bool saei_are_counts(const double *values, size_t n)
{
    const double limit = 9007199254740992.0; /* 2^53: all integers below are exact */
    for (size_t i = 0; i < n; i++)
        if (!(values[i] >= 0 && values[i] < limit && values[i] == floor(values[i])))
            return false;
    return true;
}

sae_status saei_append_column(saei_hdf5_writer *writer, size_t dataset, double *values, size_t n, bool counts,
                              sae_error *err)
{
    if (counts)
        for (size_t i = 0; i < n; i++) {
            uint64_t count = (uint64_t)values[i];
            memcpy(&values[i], &count, sizeof count);
        }
    return saei_hdf5_writer_append(writer, dataset, values, n, err);
}
