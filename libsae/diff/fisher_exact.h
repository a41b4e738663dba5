/* Fisher's exact test of a 2 × 2 table. */
#ifndef SAEI_FISHER_EXACT_H
#define SAEI_FISHER_EXACT_H

#include "sae/base.h"

/* P(at least `hits` of the all_hits fall among `trials` of all_trials): the hypergeometric upper tail.
   hits ≤ trials ≤ all_trials, hits ≤ all_hits ≤ all_trials. */
double saei_fisher_upper(uint64_t hits, uint64_t trials, uint64_t all_hits, uint64_t all_trials);

#endif
