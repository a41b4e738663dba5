/* Looking for NaN and infinity. */
#ifndef SAEI_FINITE_H
#define SAEI_FINITE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether none of n floats is NaN or infinite. Thread-safe. */
bool saei_all_finite(const float *x, size_t n);

#endif
