#include "io/zip_records.h"

#include <string.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    EXTRA_MAX = 32,
    END64_BYTES = 56,
    STORED = 0,
    DATE_1980 = 0x21,
    UTF8_NAMES = 0x800
};
static const uint32_t full32 = 0xFFFFFFFF;

/* Little-endian fields, one after the other. */
static unsigned char *put(unsigned char *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *at++ = (unsigned char)(value >> (8 * i));
    return at;
}

static bool is_wide(uint64_t value)
{
    return value >= full32;
}

static uint64_t narrow(uint64_t value)
{
    return is_wide(value) ? full32 : value;
}

/* What the local header and the one of the directory share. */
static unsigned char *put_member(unsigned char *at, const saei_zip_part *part, size_t extra_bytes)
{
    at = put(at, is_wide(part->bytes) || is_wide(part->offset) ? 45 : 20, 2);
    at = put(at, UTF8_NAMES, 2);
    at = put(at, STORED, 2);
    at = put(at, 0, 2);
    at = put(at, DATE_1980, 2);
    at = put(at, part->crc, 4);
    at = put(at, narrow(part->bytes), 4);
    at = put(at, narrow(part->bytes), 4);
    at = put(at, strlen(part->name), 2);
    return put(at, extra_bytes, 2);
}

/* The ZIP64 field: what did not fit 32 bits. Returns its size. */
static size_t put_extra(unsigned char out[EXTRA_MAX], const saei_zip_part *part, bool with_offset)
{
    unsigned char *at = out + 4;
    if (is_wide(part->bytes))
        at = put(put(at, part->bytes, 8), part->bytes, 8);
    if (with_offset && is_wide(part->offset))
        at = put(at, part->offset, 8);
    size_t n = (size_t)(at - out);
    if (n == 4)
        return 0;
    put(put(out, 1, 2), n - 4, 2);
    return n;
}

static size_t record_bytes(size_t fixed, const saei_zip_part *part, bool with_offset)
{
    unsigned char extra[EXTRA_MAX];
    return fixed + strlen(part->name) + put_extra(extra, part, with_offset);
}

static void put_name(unsigned char *at, const saei_zip_part *part, const unsigned char *extra,
                     size_t extra_bytes)
{
    size_t length = strlen(part->name);
    memcpy(at, part->name, length);
    memcpy(at + length, extra, extra_bytes);
}

size_t saei_zip_local_bytes(const saei_zip_part *part)
{
    return record_bytes(LOCAL_BYTES, part, false);
}

void saei_zip_put_local(unsigned char *out, const saei_zip_part *part)
{
    unsigned char extra[EXTRA_MAX];
    size_t extra_bytes = put_extra(extra, part, false);
    put_name(put_member(put(out, 0x04034b50, 4), part, extra_bytes), part, extra, extra_bytes);
}

size_t saei_zip_central_bytes(const saei_zip_part *part)
{
    return record_bytes(CENTRAL_BYTES, part, true);
}

void saei_zip_put_central(unsigned char *out, const saei_zip_part *part)
{
    unsigned char extra[EXTRA_MAX];
    size_t extra_bytes = put_extra(extra, part, true);
    unsigned char *at = put_member(put(put(out, 0x02014b50, 4), 45, 2), part, extra_bytes);
    /* No comment, disk 0, no attributes. */
    at = put(put(at, 0, 8), 0, 2);
    put_name(put(at, narrow(part->offset), 4), part, extra, extra_bytes);
}

size_t saei_zip_put_end(unsigned char out[SAEI_ZIP_END_MAX], size_t n, uint64_t offset, uint64_t bytes,
                        size_t comment_bytes)
{
    unsigned char *at = out;
    if (is_wide(offset) || is_wide(bytes)) {
        at = put(put(put(put(at, 0x06064b50, 4), END64_BYTES - 12, 8), 45, 2), 45, 2);
        at = put(put(put(put(at, 0, 4), 0, 4), n, 8), n, 8);
        at = put(put(at, bytes, 8), offset, 8);
        at = put(put(put(put(at, 0x07064b50, 4), 0, 4), offset + bytes, 8), 1, 4);
    }
    at = put(put(put(put(put(at, 0x06054b50, 4), 0, 2), 0, 2), n, 2), n, 2);
    at = put(put(put(at, narrow(bytes), 4), narrow(offset), 4), comment_bytes, 2);
    return (size_t)(at - out);
}
