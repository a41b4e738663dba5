#include "num/student.h"

#include <assert.h>
#include <float.h>
#include <math.h>

static double away_from_zero(double x)
{
    return fabs(x) < DBL_MIN / DBL_EPSILON ? DBL_MIN / DBL_EPSILON : x;
}

/* 1 + d1/(1 + d2/(1 + …)) of NIST DLMF 8.17.22, by the modified Lentz rule (DLMF 3.10). Quick for x below
   (a + 1) / (a + b + 2); the terms needed grow as the root of the larger of a and b. */
static double beta_fraction(double x, double a, double b)
{
    enum { TERMS = 1000000 };
    double value = 1, numerator = 1, denominator = 0;
    for (int i = 1; i <= TERMS; i++) {
        double m = i / 2, coefficient = i % 2 == 0
                                            ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                            : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        denominator = 1 / away_from_zero(1 + coefficient * denominator);
        numerator = away_from_zero(1 + coefficient / numerator);
        double step = numerator * denominator;
        value *= step;
        if (fabs(step - 1) < DBL_EPSILON)
            break;
    }
    return value;
}

/* I_x(a, b); x and its complement y = 1 − x are given apart, for either may be tiny. */
static double beta_ratio(double x, double y, double a, double b)
{
    int sign;
    double scale = lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) + b * log(y);
    if (x < (a + 1) / (a + b + 2))
        return exp(scale) / (a * beta_fraction(x, a, b));
    return 1 - exp(scale) / (b * beta_fraction(y, b, a));
}

double saei_student_tail(double t, double df)
{
    if (isnan(t) || isnan(df))
        return (double)NAN;
    assert(df > 0);
    if (t == 0)
        return 0.5;
    double square = t * t;
    if (!isfinite(square))
        return t < 0 ? 1 : 0;
    double half = beta_ratio(df / (df + square), square / (df + square), df / 2, 0.5) / 2;
    return t < 0 ? 1 - half : half;
}

static double density(double t, double df)
{
    int sign;
    const double pi = 3.14159265358979323846;
    double scale = lgamma_r((df + 1) / 2, &sign) - lgamma_r(df / 2, &sign) - log(df * pi) / 2;
    return exp(scale - (df + 1) / 2 * log1p(t * t / df));
}

/* Newton's rule, halving where it would leave the bracket. */
double saei_student_quantile(double tail, double df)
{
    enum { STEPS = 200 };
    assert(tail > 0 && tail < 1);
    if (tail > 0.5)
        return -saei_student_quantile(1 - tail, df);
    double low = 0, high = 1;
    while (saei_student_tail(high, df) > tail && high < 1e150) {
        low = high;
        high *= 2;
    }
    double t = low;
    for (int i = 0; i < STEPS; i++) {
        double over = saei_student_tail(t, df) - tail;
        if (over > 0)
            low = t;
        else
            high = t;
        double next = t + over / density(t, df);
        if (!(next >= low && next <= high))
            next = low + (high - low) / 2;
        if (fabs(next - t) <= 2 * DBL_EPSILON * next)
            return next;
        t = next;
    }
    return t;
}
