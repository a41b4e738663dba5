/* The CRC-32 of ZIP archives (polynomial 0xedb88320). */
#ifndef SAEI_CRC32_H
#define SAEI_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc, which is 0 before the first byte, over n more bytes. Thread-safe. */
uint32_t saei_crc32(uint32_t crc, const void *bytes, size_t n);

#endif
