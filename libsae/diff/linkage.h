/* Agglomerative clustering by average linkage. */
#ifndef SAEI_LINKAGE_H
#define SAEI_LINKAGE_H

#include "sae/base.h"

/* Merges the two most similar clusters of n items again and again, until no two are at least `threshold`
   similar; the similarity of two clusters is the mean over their pairs of items (UPGMA: Sokal & Michener
   1958). Ties go to the clusters with the lowest first items. similarity [n, n]: symmetric, without NaN; it
   is overwritten. cluster [n]: the first item of each item's cluster. O(n³) at worst: for hundreds of items.
 */
sae_status saei_average_linkage(uint32_t *cluster, double *similarity, size_t n, double threshold,
                                sae_context *context, sae_error *err);

#endif
