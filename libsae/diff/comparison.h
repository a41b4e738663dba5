/* The dumps of a ranking, read and matched. */
#ifndef SAEI_COMPARISON_H
#define SAEI_COMPARISON_H

#include "diff/pairing.h"

typedef struct saei_comparison {
    const sae_model *model;
    const sae_dump **dumps;  /* [n_dumps] before, after, controls */
    saei_profile **profiles; /* [n_dumps] */
    size_t n_dumps;
    const char *group;     /* the column that names the prompts, in every dump */
    saei_profile *control; /* mean over the controls; NULL without one */
    bool paired, control_paired;
} saei_comparison;

/* Checks every dump before reading any, reads each once, fills fidelity [2 + n_controls]. Release in every
 * case. */
sae_status saei_comparison_read(saei_comparison *comparison, sae_fidelity *fidelity,
                                const sae_rank_options *options, sae_error *err);

sae_status saei_comparison_alloc(saei_comparison *comparison, const sae_model *model, const sae_dump *before,
                                 const sae_dump *after, const sae_dump *const *controls, size_t n_controls,
                                 sae_error *err);
void saei_comparison_release(saei_comparison *comparison);

#endif
