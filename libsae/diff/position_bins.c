#include "diff/position_bins.h"

#include <math.h>

size_t saei_position_bin(double position, size_t per_octave, size_t last_octave)
{
    if (!(position >= 1))
        return 0;
    if (position >= ldexp(1, (int)last_octave))
        return saei_position_bins(per_octave, last_octave) - 1;
    int exponent; /* position = fraction · 2^exponent, fraction in [1/2, 1) */
    double fraction = frexp(position, &exponent);
    size_t octave = (size_t)(exponent - 1), part = (size_t)((2 * fraction - 1) * (double)per_octave);
    return 1 + per_octave * octave + part;
}
