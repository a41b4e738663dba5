#include "io/crc32.h"

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>

/* By carry-less products of whole vectors: several times the speed of zlib's tables. */
uint32_t saei_crc32(uint32_t crc, const void *bytes, size_t n)
{
    return libdeflate_crc32(crc, bytes, n);
}
#else
#include <zlib.h>

uint32_t saei_crc32(uint32_t crc, const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}
#endif
