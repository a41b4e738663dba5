/* The point with the least sum of distances to a set of rows. */
#ifndef SAEI_GEOMETRIC_MEDIAN_H
#define SAEI_GEOMETRIC_MEDIAN_H

#include <stddef.h>

/* median [d] of rows x [n, d], by Weiszfeld's iteration from the mean (Weiszfeld 1937; Vardi & Zhang 2000 for
   rows that coincide with the estimate): at most 100 rounds, until a step is below 1e-5 of the mean distance.
   work: [2 d] doubles. n ≥ 1. */
void saei_geometric_median(float *median, const float *x, size_t n, size_t d, double *work);

#endif
