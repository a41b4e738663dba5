/* Bins of token positions that are finer where positions are early. */
#ifndef SAEI_POSITION_BINS_H
#define SAEI_POSITION_BINS_H

#include <stddef.h>

/* The bin of a position: 0 for positions below 1, then each range 2^o .. 2^(o+1) - 1 in per_octave equal
   parts (a power of two), those from 2^last_octave on in one bin. position is not NaN. Bins of an octave with
   fewer integers than parts stay empty. */
size_t saei_position_bin(double position, size_t per_octave, size_t last_octave);

/* One more than the largest bin. */
static inline size_t saei_position_bins(size_t per_octave, size_t last_octave)
{
    return 2 + per_octave * last_octave;
}

#endif
