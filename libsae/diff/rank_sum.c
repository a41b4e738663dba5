#include "diff/rank_sum.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const saei_scored *x = a, *y = b;
    return x->score != y->score ? (x->score > y->score) - (x->score < y->score)
                                : (x->unit > y->unit) - (x->unit < y->unit);
}

void saei_sort_scored(saei_scored *scored, size_t n)
{
    qsort(scored, n, sizeof *scored, ascending);
}

/* The end of the units that tie with number i of the sorted. */
static size_t end_of_tie(const saei_scored *sorted, size_t n, size_t i)
{
    size_t end = i + 1;
    while (end < n && sorted[end].score == sorted[i].score)
        end++;
    return end;
}

static size_t count_positives(const saei_scored *sorted, size_t first, size_t end, const bool *positive)
{
    size_t n = 0;
    for (size_t i = first; i < end; i++)
        n += positive[sorted[i].unit] ? 1 : 0;
    return n;
}

double saei_placements(double *placement, const saei_scored *sorted, size_t n, const bool *positive)
{
    size_t m = count_positives(sorted, 0, n, positive), negatives_below = 0;
    double sum = 0, n_pos = (double)m, n_neg = (double)(n - m);
    for (size_t i = 0, end; i < n; i = end) {
        end = end_of_tie(sorted, n, i);
        size_t tied_pos = count_positives(sorted, i, end, positive), tied_neg = end - i - tied_pos;
        size_t positives_upto = i - negatives_below + tied_pos;
        double of_positive = ((double)negatives_below + (double)tied_neg / 2) / n_neg;
        double of_negative = (n_pos - (double)positives_upto + (double)tied_pos / 2) / n_pos;
        for (size_t k = i; k < end; k++)
            placement[sorted[k].unit] = positive[sorted[k].unit] ? of_positive : of_negative;
        sum += of_positive * (double)tied_pos;
        negatives_below += tied_neg;
    }
    return m == 0 || m == n ? (double)NAN : sum / n_pos;
}

/* What a cluster holds of one kind of unit. */
typedef struct cluster_part {
    double deviation; /* Σ (placement − AUROC) */
    double units;
} cluster_part;

/* part [2, n_clusters]: the positives of each cluster, then the negatives. */
static void sum_clusters(cluster_part *part, const double *placement, double auroc, const saei_scored *sorted,
                         size_t n, const bool *positive, const uint32_t *cluster, size_t n_clusters)
{
    memset(part, 0, 2 * n_clusters * sizeof *part);
    for (size_t i = 0; i < n; i++) {
        uint32_t unit = sorted[i].unit;
        cluster_part *own = &part[(positive[unit] ? 0 : n_clusters) + cluster[unit]];
        own->deviation += placement[unit] - auroc;
        own->units += 1;
    }
}

/* I / (I − 1) Σ deviation² / units², over the I clusters that hold units of the kind. */
static double kind_variance(const cluster_part *part, size_t n_clusters)
{
    double clusters = 0, units = 0, squares = 0;
    for (size_t k = 0; k < n_clusters; k++) {
        clusters += part[k].units > 0 ? 1 : 0;
        units += part[k].units;
        squares += part[k].deviation * part[k].deviation;
    }
    return clusters / (clusters - 1) * squares / (units * units);
}

double saei_clustered_se(const double *placement, const saei_scored *sorted, size_t n, const bool *positive,
                         const uint32_t *cluster, size_t n_clusters, double *scratch)
{
    cluster_part *part = (void *)scratch, *negative = part + n_clusters;
    double sum = 0, m = 0, filled = 0, product = 0;
    for (size_t i = 0; i < n; i++)
        if (positive[sorted[i].unit]) {
            sum += placement[sorted[i].unit];
            m += 1;
        }
    sum_clusters(part, placement, sum / m, sorted, n, positive, cluster, n_clusters);
    for (size_t k = 0; k < n_clusters; k++) {
        filled += part[k].units + negative[k].units > 0 ? 1 : 0;
        product += part[k].deviation * negative[k].deviation;
    }
    double covariance = filled / (filled - 1) * product / (m * ((double)n - m));
    double variance = kind_variance(part, n_clusters) + kind_variance(negative, n_clusters) + 2 * covariance;
    return isnan(variance) ? variance : sqrt(fmax(variance, 0));
}

double saei_average_precision(const saei_scored *sorted, size_t n, const bool *positive)
{
    double sum = 0, hits = 0, m = (double)count_positives(sorted, 0, n, positive);
    for (size_t end = n, i; end > 0; end = i) {
        i = end - 1;
        while (i > 0 && sorted[i - 1].score == sorted[end - 1].score)
            i--;
        double gained = (double)count_positives(sorted, i, end, positive);
        hits += gained;
        sum += gained / m * (hits / (double)(n - i));
    }
    return sum;
}

size_t saei_rank_sum_scratch(size_t n)
{
    return saei_mul(n + 1, saei_add(saei_mul(n, n + 1), 1));
}

/* ways[k, s] = number of choices of k units whose doubled ranks sum to s, unit after unit. */
double saei_rank_sum_p(const saei_scored *sorted, size_t n, const bool *positive, double *scratch)
{
    size_t m = count_positives(sorted, 0, n, positive), width = n * (n + 1) + 1, observed = 0, most = 0;
    double *ways = scratch, hits = 0, all = 0;
    memset(ways, 0, (m + 1) * width * sizeof *ways);
    ways[0] = 1;
    for (size_t i = 0, end; i < n; i = end) {
        end = end_of_tie(sorted, n, i);
        size_t rank = i + end + 1; /* twice the mean of the ranks i + 1 … end */
        observed += rank * count_positives(sorted, i, end, positive);
        for (size_t unit = i; unit < end; unit++, most += rank)
            for (size_t k = saei_min_size(unit + 1, m); k > 0; k--)
                for (size_t s = 0; s <= most; s++)
                    ways[k * width + s + rank] += ways[(k - 1) * width + s];
    }
    for (size_t s = 0; s < width; s++) {
        all += ways[m * width + s];
        hits += s >= observed ? ways[m * width + s] : 0;
    }
    return hits / all;
}

double saei_best_cut(const saei_scored *sorted, size_t n, const bool *positive)
{
    double m = (double)count_positives(sorted, 0, n, positive), negatives = (double)n - m;
    double best = -1, widest = 0, cut = sorted[0].score, below = 0;
    for (size_t i = 0, end; i < n; i = end) {
        end = end_of_tie(sorted, n, i);
        below += (double)count_positives(sorted, i, end, positive);
        if (end == n)
            break;
        double gap = sorted[end].score - sorted[i].score;
        double score = (m - below) / m + ((double)end - below) / negatives;
        if (score > best + 1e-12 || (score > best - 1e-12 && gap > widest)) {
            best = score;
            widest = gap;
            cut = sorted[i].score + gap / 2;
        }
    }
    return cut;
}
