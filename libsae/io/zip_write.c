#include "io/zip_write.h"
#include "base/memory.h"

#include <string.h>
#include <zlib.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    EXTRA_MAX = 32,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    STORED = 0,
    DATE_1980 = 0x21,
    UTF8_NAMES = 0x800
};
static const uint32_t full32 = 0xFFFFFFFF;

typedef struct record {
    uint64_t bytes, offset;
    uint32_t crc;
} record;

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

static uint32_t crc_of(const saei_zip_entry *entry)
{
    uLong crc = crc32_z(0, NULL, 0);
    if (entry->head_bytes > 0)
        crc = crc32_z(crc, entry->head, entry->head_bytes);
    if (entry->body_bytes > 0)
        crc = crc32_z(crc, entry->body, entry->body_bytes);
    return (uint32_t)crc;
}

/* What the local header and the one of the directory share. */
static unsigned char *put_member(unsigned char *at, const saei_zip_entry *entry, const record *r,
                                 size_t extra_bytes)
{
    at = put(at, is_wide(r->bytes) || is_wide(r->offset) ? 45 : 20, 2);
    at = put(at, UTF8_NAMES, 2);
    at = put(at, STORED, 2);
    at = put(at, 0, 2);
    at = put(at, DATE_1980, 2);
    at = put(at, r->crc, 4);
    at = put(at, narrow(r->bytes), 4);
    at = put(at, narrow(r->bytes), 4);
    at = put(at, strlen(entry->name), 2);
    return put(at, extra_bytes, 2);
}

/* The ZIP64 field: what did not fit 32 bits. Returns its size. */
static size_t put_extra(unsigned char out[EXTRA_MAX], const record *r, bool with_offset)
{
    unsigned char *at = out + 4;
    if (is_wide(r->bytes))
        at = put(put(at, r->bytes, 8), r->bytes, 8);
    if (with_offset && is_wide(r->offset))
        at = put(at, r->offset, 8);
    size_t n = (size_t)(at - out);
    if (n == 4)
        return 0;
    put(put(out, 1, 2), n - 4, 2);
    return n;
}

static sae_status write_local(saei_atomic_file *file, const saei_zip_entry *entry, const record *r,
                              sae_error *err)
{
    unsigned char header[LOCAL_BYTES], extra[EXTRA_MAX];
    size_t extra_bytes = put_extra(extra, r, false);
    put_member(put(header, 0x04034b50, 4), entry, r, extra_bytes);
    sae_status status = saei_atomic_file_write(file, header, sizeof header, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, entry->name, strlen(entry->name), err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, extra, extra_bytes, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, entry->head, entry->head_bytes, err);
    return status == SAE_OK ? saei_atomic_file_write(file, entry->body, entry->body_bytes, err) : status;
}

static sae_status write_central(uint64_t *written, saei_atomic_file *file, const saei_zip_entry *entry,
                                const record *r, sae_error *err)
{
    unsigned char header[CENTRAL_BYTES] = {0}, extra[EXTRA_MAX];
    size_t extra_bytes = put_extra(extra, r, true);
    unsigned char *at = put(put(header, 0x02014b50, 4), 45, 2);
    at = put_member(at, entry, r, extra_bytes);
    put(at + 10, narrow(r->offset), 4);
    *written += sizeof header + strlen(entry->name) + extra_bytes;
    sae_status status = saei_atomic_file_write(file, header, sizeof header, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, entry->name, strlen(entry->name), err);
    return status == SAE_OK ? saei_atomic_file_write(file, extra, extra_bytes, err) : status;
}

static sae_status write_end(saei_atomic_file *file, size_t n, uint64_t offset, uint64_t bytes, sae_error *err)
{
    unsigned char end[END64_BYTES + LOCATOR_BYTES + END_BYTES], *at = end;
    if (is_wide(offset) || is_wide(bytes)) {
        at = put(put(put(put(at, 0x06064b50, 4), END64_BYTES - 12, 8), 45, 2), 45, 2);
        at = put(put(put(put(at, 0, 4), 0, 4), n, 8), n, 8);
        at = put(put(at, bytes, 8), offset, 8);
        at = put(put(put(put(at, 0x07064b50, 4), 0, 4), offset + bytes, 8), 1, 4);
    }
    at = put(put(put(put(put(at, 0x06054b50, 4), 0, 2), 0, 2), n, 2), n, 2);
    at = put(put(put(at, narrow(bytes), 4), narrow(offset), 4), 0, 2);
    return saei_atomic_file_write(file, end, (size_t)(at - end), err);
}

static sae_status write_all(saei_atomic_file *file, record *records, const saei_zip_entry *entries, size_t n,
                            sae_error *err)
{
    sae_status status = SAE_OK;
    uint64_t offset = 0, directory = 0;
    unsigned char extra[EXTRA_MAX];
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        const saei_zip_entry *entry = &entries[i];
        records[i] = (record){entry->head_bytes + entry->body_bytes, offset, crc_of(entry)};
        status = write_local(file, entry, &records[i], err);
        offset += LOCAL_BYTES + strlen(entry->name) + put_extra(extra, &records[i], false) + records[i].bytes;
    }
    for (size_t i = 0; i < n && status == SAE_OK; i++)
        status = write_central(&directory, file, &entries[i], &records[i], err);
    return status == SAE_OK ? write_end(file, n, offset, directory, err) : status;
}

sae_status saei_zip_save(sae_context *context, const char *path, saei_replace replace,
                         const saei_zip_entry *entries, size_t n, sae_error *err)
{
    saei_atomic_file *file = NULL;
    record *records;
    sae_status status = saei_alloc(&records, context, n, sizeof *records, err);
    if (status == SAE_OK)
        status = saei_atomic_file_open(&file, context, path, replace, err);
    if (status == SAE_OK)
        status = write_all(file, records, entries, n, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    saei_free(context, records);
    return status;
}
