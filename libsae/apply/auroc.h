/* The area under the ROC curve of two samples. */
#ifndef SAEI_AUROC_H
#define SAEI_AUROC_H

#include "sae/apply.h"

/* Mann–Whitney with ties counted half, and the standard error of DeLong et al. 1988, from the scores of m ≥ 1
   positives and n ≥ 1 negatives; se is NaN when m or n is 1. Sorts both arrays. O((m + n) log(m + n)). */
sae_auroc_result saei_auroc(double *positive, size_t m, double *negative, size_t n);

#endif
