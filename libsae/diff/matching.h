/* Row weights under which several dumps have the same distribution over token positions. */
#ifndef SAEI_MATCHING_H
#define SAEI_MATCHING_H

#include "apply/groups.h"
#include "sae/diff.h"

/* The rows of one dump. */
typedef struct saei_matching_side {
    const saei_groups *groups;
    const double *position; /* [rows], no NaN */
    size_t rows;
    const char *name; /* of the dump, for messages */
} saei_matching_side;

typedef struct saei_matching {
    sae_context *context;
    size_t n;        /* sides */
    double **weight; /* [n][rows]: >= 0, with a positive one in each prompt */
    /* Total variation distance from the common distribution, the largest of the sides: as dumped, and with
       the weights. */
    double distance_before, distance_after;
} saei_matching;

/* The distribution of a side over bins of position is the mean over prompts of each prompt's own, so that a
   weighted mean over the rows of each prompt, then over prompts, sees the same positions on every side. Bins
   that a side lacks get weight 0 on all. SAE_E_MISMATCH: a prompt has no row in the others; or no weights
   exist, for instance when many prompts of a side hold late rows alone. docs/METHODS.md has the method. */
sae_status saei_matching_new(saei_matching **out, sae_context *context, const saei_matching_side *sides,
                             size_t n, sae_error *err);
/* The same from the columns "position" and `group` of the dumps. SAE_E_NOT_FOUND: a dump lacks one. */
sae_status saei_matching_read(saei_matching **out, sae_context *context, const sae_dump *const *dumps,
                              size_t n, const char *group, sae_error *err);
void saei_matching_free(saei_matching *matching);

#endif
