#include "train/row_powers.h"

#include <math.h>

void saei_row_powers_start(const saei_row_powers *powers, size_t r)
{
    powers->now[r] = powers->next[r] = 0.0;
}

static double power_sum(const float *f, size_t n, double p)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += f[i] > 0.0f ? pow((double)f[i], p) : 0.0;
    return sum;
}

void saei_row_powers_add(const saei_row_powers *powers, size_t r, const float *f, size_t n,
                         const saei_penalty *penalty)
{
    powers->now[r] += power_sum(f, n, (double)penalty->p);
    if (penalty->p_next != penalty->p)
        powers->next[r] += power_sum(f, n, (double)penalty->p_next);
}

void saei_row_powers_finish(const saei_row_powers *powers, size_t r, const saei_penalty *penalty)
{
    powers->slope[r] =
        powers->now[r] > 0.0 ? (float)pow(powers->now[r], 1.0 / (double)penalty->p - 1.0) : 0.0f;
}

static double root_sum(const double *sums, size_t rows, double p)
{
    double sum = 0.0;
    for (size_t r = 0; r < rows; r++)
        sum += pow(sums[r], 1.0 / p);
    return sum;
}

double saei_row_powers_sum(const saei_row_powers *powers, size_t rows, const saei_penalty *penalty)
{
    return root_sum(powers->now, rows, (double)penalty->p);
}

double saei_row_powers_ratio(const saei_row_powers *powers, size_t rows, const saei_penalty *penalty)
{
    if (penalty->p_next == penalty->p)
        return 1.0;
    double next = root_sum(powers->next, rows, (double)penalty->p_next);
    return next > 0.0 ? saei_row_powers_sum(powers, rows, penalty) / next : 1.0;
}
