#include "num/finite.h"
#include "num/simd.h"

#include <stdint.h>
#include <string.h>

SAEI_CLONES
bool saei_all_finite(const float *x, size_t n)
{
    /* On the bits, without an early exit: vectorises, and no compiler flag for float comparisons can undo it.
     */
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        any |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return any == 0;
}
