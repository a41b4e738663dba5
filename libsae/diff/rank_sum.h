/* How well scores separate two kinds: figures of few units, exact, and of many that come in clusters. */
#ifndef SAEI_RANK_SUM_H
#define SAEI_RANK_SUM_H

#include "sae/base.h"

/* A score with the number of its unit. */
typedef struct saei_scored {
    double score;
    uint32_t unit;
} saei_scored;

/* Ascending by score, ties by unit. */
void saei_sort_scored(saei_scored *scored, size_t n);

/* placement[unit] of each of the sorted: for a positive the share of negatives below, for a negative the
   share of positives above, equal ones counted half (DeLong et al. 1988). Returns the AUROC, the mean of
   either kind; NaN when there is only one kind. */
double saei_placements(double *placement, const saei_scored *sorted, size_t n, const bool *positive);

/* Standard error of the AUROC of units that come in clusters, which may hold positives, negatives or both
   (Obuchowski, Biometrics 53:567, 1997). cluster [units of the sorted], below n_clusters; scratch
   [4 n_clusters]. NaN when a kind lies in one cluster. */
double saei_clustered_se(const double *placement, const saei_scored *sorted, size_t n, const bool *positive,
                         const uint32_t *cluster, size_t n_clusters, double *scratch);

/* Σ over the distinct scores, falling, of (recall − recall before) × precision: what scikit-learn calls
   average precision. */
double saei_average_precision(const saei_scored *sorted, size_t n, const bool *positive);

/* Exact one-sided p of the AUROC of the sorted: the share of the assignments of the labels to the units whose
   rank sum is at least the observed one, ties at their mean rank. scratch [saei_rank_sum_scratch(n)]. */
double saei_rank_sum_p(const saei_scored *sorted, size_t n, const bool *positive, double *scratch);
size_t saei_rank_sum_scratch(size_t n);

/* The cut that sorts the training units best: highest mean of sensitivity and specificity, then widest gap,
   halfway in the gap; positives lie above. With equal scores throughout, that score. Both kinds must be
   there. */
double saei_best_cut(const saei_scored *sorted, size_t n, const bool *positive);

#endif
