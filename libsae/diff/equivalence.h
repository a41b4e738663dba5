/* Whether a difference is small, which is not the same as "not significant". */
#ifndef SAEI_EQUIVALENCE_H
#define SAEI_EQUIVALENCE_H

#include "diff/effects.h"

/* p of the null hypothesis |difference| ≥ margin for one latent: the larger of two one-sided t tests
   (Schuirmann, J. Pharmacokin. Biopharm. 15:657, 1987); paired, or with Welch's degrees of freedom. NaN with
   one prompt on a side; without any variance 0 or 1. */
double saei_equivalence_p(const saei_effects *effects, size_t latent, double margin);

#endif
