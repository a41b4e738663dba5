#include "num/rows.h"
#include "num/simd.h"

enum { LANES = 16 };

static inline float sum_lanes(const float *lane)
{
    float s[8];
    for (int i = 0; i < 8; i++)
        s[i] = lane[i] + lane[i + 8];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

SAEI_CLONES float saei_row_dot(const float *a, const float *b, size_t d)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= d; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + (size_t)l] * b[i + (size_t)l];
    for (int l = 0; i < d; i++, l++)
        lane[l] += a[i] * b[i];
    return sum_lanes(lane);
}

SAEI_CLONES double saei_row_norm2(const float *a, size_t d)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= d; i += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (double)a[i + (size_t)l] * (double)a[i + (size_t)l];
    for (int l = 0; i < d; i++, l++)
        lane[l] += (double)a[i] * (double)a[i];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

SAEI_CLONES void saei_row_axpy(float *restrict y, float a, const float *restrict x, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] += a * x[i];
}

SAEI_CLONES void saei_row_scale_shift(float *restrict y, float a, const float *restrict x,
                                      const float *restrict c, size_t d)
{
    for (size_t i = 0; i < d; i++)
        y[i] = a * x[i] - c[i];
}
