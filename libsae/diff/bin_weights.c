#include "diff/bin_weights.h"

#include <math.h>

/* Rounds in which the distance must fall by a tenth: where no weights exist it stands still. */
enum { ROUNDS_MAX = 2000, PATIENCE = 50 };
static const double close_enough = 1e-10;

void saei_bin_shares(double *share, const double *weight, const double *count, size_t prompts, size_t bins)
{
    for (size_t b = 0; b < bins; b++)
        share[b] = 0;
    for (size_t p = 0; p < prompts; p++) {
        const double *n = count + p * bins;
        double sum = 0;
        for (size_t b = 0; b < bins; b++)
            sum += weight[b] * n[b];
        for (size_t b = 0; b < bins; b++)
            share[b] += weight[b] * n[b] / sum / (double)prompts;
    }
}

double saei_bin_distance(const double *a, const double *b, size_t bins)
{
    double sum = 0;
    for (size_t i = 0; i < bins; i++)
        sum += fabs(a[i] - b[i]);
    return sum / 2;
}

/* Scaled so that the largest is 1: only ratios matter, and where no weights exist they grow without bound. */
static void update(double *weight, const double *share, const double *target, size_t bins)
{
    double largest = 0;
    for (size_t b = 0; b < bins; b++) {
        weight[b] *= target[b] > 0 ? target[b] / share[b] : 0;
        largest = fmax(largest, weight[b]);
    }
    for (size_t b = 0; b < bins; b++)
        weight[b] /= largest;
}

double saei_bin_weights(double *weight, double *share, const double *count, const double *target,
                        size_t prompts, size_t bins)
{
    for (size_t b = 0; b < bins; b++)
        weight[b] = target[b] > 0 ? 1 : 0;
    saei_bin_shares(share, weight, count, prompts, bins);
    double distance = saei_bin_distance(share, target, bins), milestone = 1;
    for (size_t round = 1; distance > close_enough && round <= ROUNDS_MAX; round++) {
        update(weight, share, target, bins);
        saei_bin_shares(share, weight, count, prompts, bins);
        distance = saei_bin_distance(share, target, bins);
        if (round % PATIENCE == 0) {
            if (distance > 0.9 * milestone)
                break;
            milestone = distance;
        }
    }
    return distance;
}
