#include "dump/write_column.h"
#include "dump/dump.h"

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

sae_status saei_append_column(saei_array_sink *sink, size_t array, double *values, size_t n, bool counts,
                              sae_error *err)
{
    if (counts)
        for (size_t i = 0; i < n; i++) {
            uint64_t count = (uint64_t)values[i];
            memcpy(&values[i], &count, sizeof count);
        }
    return saei_array_sink_append(sink, array, values, n, err);
}

static sae_status look(void *user, double *values, size_t n, sae_error *err)
{
    bool *counts = user;
    (void)err;
    *counts = *counts && saei_are_counts(values, n);
    return SAE_OK;
}

sae_status saei_column_is_counts(bool *out, const sae_dump *dump, const char *name, sae_error *err)
{
    *out = true;
    return saei_dump_each_of_column(dump, name, look, out, err);
}

typedef struct target {
    saei_array_sink *sink;
    size_t array;
    bool counts;
} target;

static sae_status append(void *user, double *values, size_t n, sae_error *err)
{
    const target *t = user;
    return saei_append_column(t->sink, t->array, values, n, t->counts, err);
}

sae_status saei_write_column(saei_array_sink *sink, size_t array, const sae_dump *dump, const char *name,
                             bool counts, sae_error *err)
{
    target t = {sink, array, counts};
    return saei_dump_each_of_column(dump, name, append, &t, err);
}
