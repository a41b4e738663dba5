/* How often bootstrap intervals hold the truth, on data whose truth is known. */
#ifndef COVERAGE_H
#define COVERAGE_H

#include "sae/base.h"

#include <stdbool.h>
#include <stddef.h>

/* Prints a table; false when an interval covers less or more than docs/METHODS.md says. samples: data sets.
 */
bool intervals_cover(sae_context *context, size_t samples);

#endif
