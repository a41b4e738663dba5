#include "num/geometric_median.h"

#include <math.h>

static double distance(const float *row, const double *y, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        double diff = (double)row[i] - y[i];
        sum += diff * diff;
    }
    return sqrt(sum);
}

/* One round: next = Σ x_i / r_i / Σ 1 / r_i over the rows away from y. Returns the mean distance r. */
static double weighted_mean(double *next, const double *y, const float *x, size_t n, size_t d)
{
    double weights = 0.0, distances = 0.0;
    for (size_t i = 0; i < d; i++)
        next[i] = 0.0;
    for (size_t r = 0; r < n; r++) {
        const float *row = x + r * d;
        double dist = distance(row, y, d);
        distances += dist;
        if (!(dist > 0.0))
            continue;
        weights += 1.0 / dist;
        for (size_t i = 0; i < d; i++)
            next[i] += (double)row[i] / dist;
    }
    for (size_t i = 0; i < d; i++)
        next[i] = weights > 0.0 ? next[i] / weights : y[i];
    return distances / (double)n;
}

void saei_geometric_median(float *median, const float *x, size_t n, size_t d, double *work)
{
    double *y = work, *next = work + d;
    for (size_t i = 0; i < d; i++)
        y[i] = 0.0;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < d; i++)
            y[i] += (double)x[r * d + i] / (double)n;
    for (int round = 0; round < 100; round++) {
        double mean_distance = weighted_mean(next, y, x, n, d), step2 = 0.0;
        for (size_t i = 0; i < d; i++) {
            step2 += (next[i] - y[i]) * (next[i] - y[i]);
            y[i] = next[i];
        }
        if (!(sqrt(step2) > 1e-5 * mean_distance))
            break;
    }
    for (size_t i = 0; i < d; i++)
        median[i] = (float)y[i];
}
