/* Order statistics of doubles without NaN. */
#ifndef SAEI_ORDER_H
#define SAEI_ORDER_H

#include <stddef.h>

/* Ascending. */
void saei_sort_doubles(double *x, size_t n);

/* Puts the k-th smallest (from 0) into x[k], nothing larger before it, nothing smaller behind. k < n. */
double saei_select(double *x, size_t n, size_t k);

/* The quantile at 0 ≤ q ≤ 1, linear between order statistics at q (n − 1). Reorders x. n ≥ 1. */
double saei_quantile(double *x, size_t n, double q);

#endif
