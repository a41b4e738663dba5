#include "io/unshuffle.h"
#include "num/simd.h"

#include <stdint.h>
#include <string.h>

/* Elements are put together as integers, which compilers turn into interleaving of whole registers. */

SAEI_CLONES
static void join_2(unsigned char *restrict out, const unsigned char *restrict p, size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t value = (uint16_t)(p[i] | p[stride + i] << 8);
        memcpy(out + 2 * i, &value, sizeof value);
    }
}

SAEI_CLONES
static void join_4(unsigned char *restrict out, const unsigned char *restrict p, size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t value = (uint32_t)p[i] | (uint32_t)p[stride + i] << 8 | (uint32_t)p[2 * stride + i] << 16 |
                         (uint32_t)p[3 * stride + i] << 24;
        memcpy(out + 4 * i, &value, sizeof value);
    }
}

static void join_bytes(unsigned char *out, const unsigned char *p, size_t stride, size_t n, size_t item)
{
    for (size_t byte = 0; byte < item; byte++)
        for (size_t i = 0; i < n; i++)
            out[item * i + byte] = p[byte * stride + i];
}

void saei_unshuffle(void *out, const unsigned char *first, size_t stride, size_t n, size_t item)
{
    if (item == 2)
        join_2(out, first, stride, n);
    else if (item == 4)
        join_4(out, first, stride, n);
    else
        join_bytes(out, first, stride, n, item);
}
