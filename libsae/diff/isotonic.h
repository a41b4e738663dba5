/* The best fit that never falls. */
#ifndef SAEI_ISOTONIC_H
#define SAEI_ISOTONIC_H

#include "sae/base.h"

/* fit [n]: the ascending sequence that is at least `least` everywhere and minimises Σ weight (y − fit)²
   (pool adjacent violators, Ayer et al., Ann. Math. Statist. 26:641, 1955; cutting it off at a bound gives
   the bounded minimum, Barlow et al. 1972, theorem 1.3). weight > 0; finite y. O(n²) at worst. */
void saei_isotonic_fit(double *fit, const double *y, const double *weight, size_t n, double least);

/* Where the broken line through (x[i], y[i]), x ascending, first reaches `level` coming from (x0, y0); NaN
   when it does not. */
double saei_first_crossing(double x0, double y0, const double *x, const double *y, size_t n, double level);

#endif
