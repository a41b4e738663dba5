#include "num/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

void saei_sort_doubles(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, compare);
}

static void swap(double *a, double *b)
{
    double keep = *a;
    *a = *b;
    *b = keep;
}

static double median_of_three(double a, double b, double c)
{
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

/* Quickselect with Hoare's partition: x[low .. j] ≤ pivot ≤ x[j + 1 .. high] and low ≤ j < high, since a
   median of three is never the only largest. Runs of equal values split evenly. */
double saei_select(double *x, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = median_of_three(x[low], x[low + (high - low) / 2], x[high]);
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&x[i], &x[j]);
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return x[k];
}

double saei_quantile(double *x, size_t n, double q)
{
    double position = q * (double)(n - 1);
    size_t k = (size_t)position;
    if (k >= n - 1)
        return saei_select(x, n, n - 1);
    double low = saei_select(x, n, k), high = x[k + 1];
    for (size_t i = k + 2; i < n; i++)
        high = fmin(high, x[i]);
    return low + (position - (double)k) * (high - low);
}
