#include "diff/isotonic.h"

#include <math.h>

/* Mean of y[first .. end - 1]. */
static double block_mean(const double *y, const double *weight, size_t first, size_t end)
{
    double sum = 0, total = 0;
    for (size_t i = first; i < end; i++) {
        sum += weight[i] * y[i];
        total += weight[i];
    }
    return sum / total;
}

void saei_isotonic_fit(double *fit, const double *y, const double *weight, size_t n, double least)
{
    for (size_t end = 1; end <= n; end++) {
        /* fit[0 .. end - 2] ascends in blocks of equal values; the new value joins those that are not below.
         */
        size_t first = end - 1;
        double mean = y[first];
        while (first > 0 && fit[first - 1] >= mean) {
            double joined = fit[first - 1];
            while (first > 0 && fit[first - 1] == joined)
                first--;
            mean = block_mean(y, weight, first, end);
        }
        for (size_t i = first; i < end; i++)
            fit[i] = mean;
    }
    for (size_t i = 0; i < n; i++)
        fit[i] = fmax(fit[i], least);
}

double saei_first_crossing(double x0, double y0, const double *x, const double *y, size_t n, double level)
{
    for (size_t i = 0; i < n; i++) {
        if ((y0 < level && y[i] >= level) || (y0 > level && y[i] <= level))
            return x0 + (x[i] - x0) * (level - y0) / (y[i] - y0);
        x0 = x[i];
        y0 = y[i];
    }
    return (double)NAN;
}
