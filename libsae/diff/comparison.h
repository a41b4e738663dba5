/* The dumps of a ranking, read and matched. */
#ifndef SAEI_COMPARISON_H
#define SAEI_COMPARISON_H

#include "diff/pairing.h"

typedef struct saei_comparison {
    const sae_model *model;
    const sae_dump **dumps;  /* [n_dumps] before, after (one, or several bad conditions), controls */
    saei_profile **profiles; /* [n_dumps] */
    size_t n_dumps, n_controls;
    const char *group;           /* the column that names the prompts, in every dump */
    saei_profile *control;       /* mean over the controls; NULL without one */
    bool paired, control_paired; /* of the first after */
} saei_comparison;

/* Checks every dump before reading any, reads each once, fills fidelity [2 + n_controls]. Release in every
 * case. */
sae_status saei_comparison_read(saei_comparison *comparison, sae_fidelity *fidelity,
                                const sae_rank_options *options, sae_error *err);

sae_status saei_comparison_alloc(saei_comparison *comparison, const sae_model *model, const sae_dump *before,
                                 const sae_dump *const *after, size_t n_after,
                                 const sae_dump *const *controls, size_t n_controls, sae_error *err);
void saei_comparison_release(saei_comparison *comparison);

/* The parts of saei_comparison_read, for who reads the profiles otherwise: checks every dump and chooses the
   grouping column; with the profiles there, decides how they pair and makes the mean of the controls. */
sae_status saei_comparison_check(saei_comparison *comparison, const char *group, sae_error *err);
sae_status saei_comparison_match(saei_comparison *comparison, sae_pairing wanted, sae_error *err);

/* Whether dump a pairs with each of the dumps first .. first + n - 1; false when n = 0. */
sae_status saei_comparison_pair(bool *paired, const saei_comparison *comparison, size_t a, size_t first,
                                size_t n, sae_pairing wanted, sae_error *err);

/* The ranking of the first after with the gate on the fit. Takes over *fidelity [n_dumps], which becomes
 * NULL. */
sae_status saei_ranking_of_comparison(sae_ranking **out, const saei_comparison *comparison,
                                      sae_fidelity **fidelity, const sae_rank_options *options,
                                      sae_error *err);

#endif
