#include "base/error.h"
#include "base/memory.h"
#include "diff/matching.h"

#include <math.h>

/* What is read of one dump. */
typedef struct position_rows {
    saei_groups *groups;
    double *position;
} position_rows;

static sae_status read_positions(position_rows *rows, saei_matching_side *side, sae_context *context,
                                 const sae_dump *dump, const char *group, sae_error *err)
{
    const char *name = sae_dump_name(dump);
    size_t n = (size_t)sae_dump_rows(dump);
    if (!sae_dump_has_column(dump, "position"))
        return saei_fail(err, SAE_E_NOT_FOUND,
                         "%s: no column position to match by; add it to the dump or rank without matching",
                         name);
    sae_status status = saei_groups_read(&rows->groups, context, dump, group, err);
    if (status == SAE_OK)
        status = saei_alloc(&rows->position, context, n, sizeof *rows->position, err);
    if (status == SAE_OK)
        status = sae_dump_read_column(rows->position, dump, "position", err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        if (isnan(rows->position[i]))
            status = saei_fail(err, SAE_E_NONFINITE,
                               "%s: column position is NaN at row %zu; select other rows", name, i);
    if (status == SAE_OK)
        *side = (saei_matching_side){rows->groups, rows->position, n, name};
    return status;
}

sae_status saei_matching_read(saei_matching **out, sae_context *context, const sae_dump *const *dumps,
                              size_t n, const char *group, sae_error *err)
{
    *out = NULL;
    position_rows *rows = NULL;
    saei_matching_side *sides = NULL;
    sae_status status = saei_alloc(&rows, context, n, sizeof *rows, err);
    if (status == SAE_OK)
        status = saei_alloc(&sides, context, n, sizeof *sides, err);
    for (size_t i = 0; status == SAE_OK && i < n; i++)
        status = read_positions(&rows[i], &sides[i], context, dumps[i], group, err);
    if (status == SAE_OK)
        status = saei_matching_new(out, context, sides, n, err);
    for (size_t i = 0; rows != NULL && i < n; i++) {
        saei_free(context, rows[i].position);
        saei_groups_free(rows[i].groups);
    }
    saei_free(context, sides);
    saei_free(context, rows);
    return status;
}
