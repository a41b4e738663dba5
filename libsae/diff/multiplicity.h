/* Corrections of several p-values beside that over all latents in contrast.h. */
#ifndef SAEI_MULTIPLICITY_H
#define SAEI_MULTIPLICITY_H

#include "sae/base.h"

/* adjusted [n]: family-wise over the n p-values (Holm, Scand. J. Statist. 6:65, 1979), at most 1. O(n²): for
   the few conditions of a study. NaN stay NaN and do not count. Not in place. */
void saei_holm(double *adjusted, const double *p, size_t n);

/* q [n]: Benjamini–Hochberg as if `family` ≥ n hypotheses were tested and the others had p = 1. Holds however
   the n were chosen among the family. */
sae_status saei_false_discovery_among(double *q, const double *p, size_t n, size_t family,
                                      sae_context *context, sae_error *err);

#endif
