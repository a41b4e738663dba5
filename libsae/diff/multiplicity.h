/* Corrections of several p-values for being several. The result may take the place of p. */
#ifndef SAEI_MULTIPLICITY_H
#define SAEI_MULTIPLICITY_H

#include "sae/base.h"

/* adjusted [n]: the smallest family-wise level at which each is rejected (Holm, Scand. J. Statist. 6:65,
   1979), at most 1. NaN stay NaN and do not count. */
sae_status saei_holm(double *adjusted, const double *p, size_t n, sae_context *context, sae_error *err);

/* q [n]: the smallest false discovery rate at which each would be called (Benjamini & Hochberg 1995). No NaN.
 */
sae_status saei_benjamini_hochberg(double *q, const double *p, size_t n, sae_context *context,
                                   sae_error *err);

/* The same as if `family` ≥ n hypotheses were tested and the others had p = 1. Holds however the n were
   chosen among the family. */
sae_status saei_false_discovery_among(double *q, const double *p, size_t n, size_t family,
                                      sae_context *context, sae_error *err);

#endif
