/* The lengths of rows as a histogram, from which the middle one and those far above it are read. */
#ifndef SAEI_OUTLIERS_H
#define SAEI_OUTLIERS_H

#include "sae/dump.h"

/* A bin is given by the exponent and the first five bits of the mantissa of a float: 32 bins an octave, the
   widest of them 3 %. */
enum { SAEI_NORM_BINS = 1 << 13 };

/* Zeroed to begin with. */
typedef struct saei_norms {
    uint64_t bins[SAEI_NORM_BINS];
    double largest2;
    uint64_t largest_row;
} saei_norms;

/* Rows first .. first + n - 1 of the dump, their squared norms in norm2 [n]. In row order. */
void saei_norms_add(saei_norms *norms, const double *norm2, size_t n, uint64_t first);

/* All but mean_over_sigma. */
sae_outliers saei_norms_outliers(const saei_norms *norms, const sae_dump *dump);

#endif
