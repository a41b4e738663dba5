/* The records around the stored members of a ZIP archive. Source: PKWARE APPNOTE 6.3.10. */
#ifndef SAEI_ZIP_RECORDS_H
#define SAEI_ZIP_RECORDS_H

#include "sae/base.h"

/* A member: its size, the place of its local header in the archive, the CRC-32 of its bytes. */
typedef struct saei_zip_part {
    const char *name; /* UTF-8, below 65536 bytes */
    uint64_t bytes, offset;
    uint32_t crc;
} saei_zip_part;

/* The local header with the name; its size follows from name and bytes alone. ZIP64 where sizes or offsets
   ask for it; the date is 1980-01-01. */
size_t saei_zip_local_bytes(const saei_zip_part *part);
void saei_zip_put_local(unsigned char *out, const saei_zip_part *part);

/* The entry of the directory with the name. */
size_t saei_zip_central_bytes(const saei_zip_part *part);
void saei_zip_put_central(unsigned char *out, const saei_zip_part *part);

/* The end of an archive whose directory holds n < 65535 entries in `bytes` bytes at `offset`; the comment
   [comment_bytes <= 65535] follows it. Returns its size. */
enum { SAEI_ZIP_END_MAX = 98 };
size_t saei_zip_put_end(unsigned char out[SAEI_ZIP_END_MAX], size_t n, uint64_t offset, uint64_t bytes,
                        size_t comment_bytes);

#endif
