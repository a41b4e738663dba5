#include "diff/resample.h"
#include "num/simd.h"

/* Four draws of a unit. A vector type, because gcc otherwise vectorises over the units, with gathers. */
typedef double four_draws __attribute__((vector_size(32)));

/* Draws that are summed together: their sums stay in eight vector registers while the units go by. */
enum { LANES = 32 };

SAEI_CLONES void saei_draw_sums(double *out, const double *weights, const uint32_t *unit, const double *value,
                                size_t n)
{
    for (int first = 0; first < SAEI_DRAWS; first += LANES) {
        four_draws s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        for (size_t i = 0; i < n; i++) {
            const four_draws *w = (const void *)(weights + (size_t)unit[i] * SAEI_DRAWS + first);
            double v = value[i];
            s0 += w[0] * v;
            s1 += w[1] * v;
            s2 += w[2] * v;
            s3 += w[3] * v;
            s4 += w[4] * v;
            s5 += w[5] * v;
            s6 += w[6] * v;
            s7 += w[7] * v;
        }
        four_draws *sums = (void *)(out + first);
        sums[0] = s0;
        sums[1] = s1;
        sums[2] = s2;
        sums[3] = s3;
        sums[4] = s4;
        sums[5] = s5;
        sums[6] = s6;
        sums[7] = s7;
    }
}
