#include "io/zip_directory.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    RECORD_BYTES = 46,
    LOCAL_BYTES = 30,
    COMMENT_MAX = 65535,
    FLAG_ENCRYPTED = 1 | 1 << 6 | 1 << 13,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    EXTRA_ZIP64 = 1,
    /* deflate packs at most 1032 bytes into one; arrays of real data do not come near */
    RATIO_POSSIBLE = 1040,
    RATIO_PLAUSIBLE = 200,
};
static const uint64_t plausible_from = (uint64_t)256 << 20;
static const uint32_t full32 = 0xFFFFFFFF;

static uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static sae_status bad_archive(const saei_input_file *file, uint64_t offset, const char *what, sae_error *err)
{
    return saei_fail_at(err, SAE_E_FORMAT, (int64_t)offset, "%s: ZIP archive damaged: %s", file->path, what);
}

/* The end record is the last one whose comment ends where the file ends. */
static sae_status find_end(unsigned char end[END_BYTES], uint64_t *at, sae_context *context,
                           const saei_input_file *file, sae_error *err)
{
    size_t window = file->bytes < COMMENT_MAX + END_BYTES ? (size_t)file->bytes : COMMENT_MAX + END_BYTES;
    unsigned char *tail;
    sae_status status = saei_alloc(&tail, context, window, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(tail, file, file->bytes - window, window, err);
    bool found = false;
    for (size_t i = window; status == SAE_OK && !found && i-- > 0;)
        if (window - i >= END_BYTES && memcmp(tail + i, "PK\5\6", 4) == 0 &&
            get16(tail + i + 20) == window - i - END_BYTES) {
            memcpy(end, tail + i, END_BYTES);
            *at = file->bytes - window + i;
            found = true;
        }
    saei_free(context, tail);
    if (status == SAE_OK && !found)
        return bad_archive(file, file->bytes, "no end record; it is cut off, or has bytes after its end",
                           err);
    return status;
}

typedef struct end_fields {
    uint64_t disk, first_disk, records_here, records, bytes, start;
} end_fields;

/* Where a locator stands before the end record, the zip64 record that it points to counts; PyTorch writes
   both for any size. */
static sae_status read_end64(end_fields *out, uint64_t *at, const saei_input_file *file, sae_error *err)
{
    unsigned char locator[LOCATOR_BYTES], end[END64_BYTES];
    bool needed = out->records == 0xFFFF || out->bytes == full32 || out->start == full32;
    if (*at < LOCATOR_BYTES)
        return SAE_OK;
    sae_status status = saei_input_file_read(locator, file, *at - LOCATOR_BYTES, LOCATOR_BYTES, err);
    if (status != SAE_OK)
        return status;
    if (memcmp(locator, "PK\6\7", 4) != 0)
        return needed ? bad_archive(file, *at, "no zip64 locator", err) : SAE_OK;
    uint64_t start = get64(locator + 8);
    if (get32(locator + 4) != 0 || get32(locator + 16) > 1 || start > *at - LOCATOR_BYTES ||
        *at - LOCATOR_BYTES - start < END64_BYTES)
        return bad_archive(file, *at - LOCATOR_BYTES, "its zip64 end record lies elsewhere", err);
    status = saei_input_file_read(end, file, start, END64_BYTES, err);
    if (status != SAE_OK)
        return status;
    if (memcmp(end, "PK\6\6", 4) != 0 || get64(end + 4) != *at - LOCATOR_BYTES - start - 12)
        return bad_archive(file, start, "its zip64 end record is invalid", err);
    *out = (end_fields){get32(end + 16), get32(end + 20), get64(end + 24),
                        get64(end + 32), get64(end + 40), get64(end + 48)};
    *at = start;
    return SAE_OK;
}

sae_status saei_zip_directory_read(saei_zip_directory *out, sae_context *context, const saei_input_file *file,
                                   sae_error *err)
{
    *out = (saei_zip_directory){.context = context, .file = file};
    unsigned char end[END_BYTES] = {0};
    uint64_t at = 0;
    sae_status status = find_end(end, &at, context, file, err);
    if (status != SAE_OK)
        return status;
    end_fields fields = {get16(end + 4),  get16(end + 6),  get16(end + 8),
                         get16(end + 10), get32(end + 12), get32(end + 16)};
    status = read_end64(&fields, &at, file, err);
    if (status != SAE_OK)
        return status;
    if (fields.disk != 0 || fields.first_disk != 0 || fields.records_here != fields.records)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: a ZIP archive over several disks; save it as one file",
                         file->path);
    if (fields.start > at || fields.bytes != at - fields.start)
        return bad_archive(file, at, "its directory does not end at its end record", err);
    if (fields.records > fields.bytes / RECORD_BYTES)
        return bad_archive(file, at, "its directory is too short for its members", err);
    out->start = fields.start;
    out->comment_bytes = get16(end + 20);
    out->n_records = (size_t)fields.records;
    status = saei_alloc(&out->bytes, context, (size_t)fields.bytes, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(out->bytes, file, fields.start, (size_t)fields.bytes, err);
    out->n_bytes = status == SAE_OK ? (size_t)fields.bytes : 0;
    return status;
}

void saei_zip_directory_free(saei_zip_directory *directory)
{
    if (directory->context != NULL)
        saei_free(directory->context, directory->bytes);
    directory->bytes = NULL;
}

/* A field of 32 bits that is full stands in the zip64 extra, in the order of the fields. */
static bool take_zip64(uint64_t *field, const unsigned char **extra, size_t *left)
{
    if (*field != full32)
        return true;
    if (*left < 8)
        return false;
    *field = get64(*extra);
    *extra += 8;
    *left -= 8;
    return true;
}

static bool read_extra(saei_zip_record *record, const unsigned char *extra, size_t bytes)
{
    while (bytes >= 4) {
        size_t length = get16(extra + 2);
        if (length > bytes - 4)
            return false;
        if (get16(extra) == EXTRA_ZIP64) {
            const unsigned char *at = extra + 4;
            return take_zip64(&record->bytes, &at, &length) && take_zip64(&record->stored, &at, &length) &&
                   take_zip64(&record->local_start, &at, &length);
        }
        extra += 4 + length;
        bytes -= 4 + length;
    }
    return record->bytes != full32 && record->stored != full32 && record->local_start != full32;
}

static sae_status check_kind(const saei_zip_directory *d, const saei_zip_record *record, unsigned flags,
                             unsigned method, unsigned disk, sae_error *err)
{
    const char *path = d->file->path, *name = record->name;
    int n = record->name_length < 80 ? (int)record->name_length : 80;
    if (flags & FLAG_ENCRYPTED)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: member %.*s is encrypted; save it without", path, n,
                         name);
    if (method != METHOD_STORED && method != METHOD_DEFLATED)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: member %.*s is packed by method %u; stored and deflated ones are read", path, n,
                         name, method);
    if (disk != 0)
        return saei_fail(err, SAE_E_UNSUPPORTED, "%s: a ZIP archive over several disks; save it as one file",
                         path);
    if (method == METHOD_STORED && record->bytes != record->stored)
        return saei_fail(err, SAE_E_FORMAT, "%s: member %.*s is stored, but has two sizes", path, n, name);
    uint64_t ratio = record->bytes / (record->stored > 0 ? record->stored : 1);
    if (ratio > RATIO_POSSIBLE && record->bytes > 1024)
        return saei_fail(err, SAE_E_FORMAT, "%s: member %.*s claims more bytes than its packed data can give",
                         path, n, name);
    if (ratio > RATIO_PLAUSIBLE && record->bytes > plausible_from)
        return saei_fail(err, SAE_E_UNSUPPORTED,
                         "%s: member %.*s would inflate to %llu times its size; save it without compression",
                         path, n, name, (unsigned long long)ratio);
    return SAE_OK;
}

/* Finds where the data of the member start, which only its local header tells. */
static sae_status check_local(saei_zip_record *record, unsigned method, const saei_zip_directory *d,
                              sae_error *err)
{
    unsigned char head[LOCAL_BYTES], name[256];
    uint64_t start = record->local_start;
    if (start > d->start || d->start - start < LOCAL_BYTES + record->name_length)
        return bad_archive(d->file, start, "a member lies outside the file", err);
    sae_status status = saei_input_file_read(head, d->file, start, LOCAL_BYTES, err);
    if (status != SAE_OK)
        return status;
    if (memcmp(head, "PK\3\4", 4) != 0)
        return bad_archive(d->file, start, "a member has no header", err);
    bool same = get16(head + 26) == record->name_length && get16(head + 8) == method &&
                (get16(head + 6) & FLAG_ENCRYPTED) == 0;
    for (size_t done = 0; same && done < record->name_length; done += sizeof name) {
        size_t n = record->name_length - done < sizeof name ? record->name_length - done : sizeof name;
        status = saei_input_file_read(name, d->file, start + LOCAL_BYTES + done, n, err);
        if (status != SAE_OK)
            return status;
        same = memcmp(name, record->name + done, n) == 0;
    }
    if (!same)
        return bad_archive(d->file, start, "a member differs from its entry in the directory", err);
    record->data_start = start + LOCAL_BYTES + record->name_length + get16(head + 28);
    if (record->data_start > d->start || d->start - record->data_start < record->stored)
        return bad_archive(d->file, start, "a member lies outside the file", err);
    return SAE_OK;
}

static sae_status read_record(saei_zip_record *out, size_t *at, const saei_zip_directory *d, sae_error *err)
{
    const unsigned char *p = d->bytes + *at;
    size_t left = d->n_bytes - *at;
    uint64_t offset = d->start + *at;
    if (left < RECORD_BYTES || memcmp(p, "PK\1\2", 4) != 0)
        return bad_archive(d->file, offset, "its directory is shorter than it says", err);
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    if (left - RECORD_BYTES < name + extra + comment)
        return bad_archive(d->file, offset, "its directory is cut off", err);
    *out = (saei_zip_record){.name = (const char *)p + RECORD_BYTES,
                             .name_length = name,
                             .crc = get32(p + 16),
                             .stored = get32(p + 20),
                             .bytes = get32(p + 24),
                             .local_start = get32(p + 42),
                             .deflated = get16(p + 10) == METHOD_DEFLATED};
    if (memchr(out->name, '\0', name) != NULL)
        return bad_archive(d->file, offset, "a name with a NUL", err);
    if (!read_extra(out, p + RECORD_BYTES + name, extra))
        return bad_archive(d->file, offset, "a member without its zip64 sizes", err);
    sae_status status = check_kind(d, out, get16(p + 8), get16(p + 10), get16(p + 34), err);
    if (status == SAE_OK)
        status = check_local(out, get16(p + 10), d, err);
    *at += RECORD_BYTES + name + extra + comment;
    return status;
}

typedef struct extent {
    uint64_t start, end;
} extent;

static int by_start(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    return x->start != y->start ? (x->start < y->start ? -1 : 1) : 0;
}

static sae_status check_apart(const saei_zip_directory *d, extent *extents, sae_error *err)
{
    qsort(extents, d->n_records, sizeof *extents, by_start);
    for (size_t i = 1; i < d->n_records; i++)
        if (extents[i].start < extents[i - 1].end)
            return bad_archive(d->file, extents[i].start, "its members overlap", err);
    return SAE_OK;
}

sae_status saei_zip_directory_each(const saei_zip_directory *d, saei_zip_record_fn each, void *user,
                                   sae_error *err)
{
    size_t at = 0;
    extent *extents;
    sae_status status = saei_alloc(&extents, d->context, d->n_records, sizeof *extents, err);
    for (size_t i = 0; status == SAE_OK && i < d->n_records; i++) {
        saei_zip_record record;
        status = read_record(&record, &at, d, err);
        if (status != SAE_OK)
            break;
        extents[i] = (extent){record.local_start, record.data_start + record.stored};
        status = each(user, &record, err);
    }
    if (status == SAE_OK && at != d->n_bytes)
        status = bad_archive(d->file, d->start + at, "its directory holds more than its members", err);
    if (status == SAE_OK)
        status = check_apart(d, extents, err);
    saei_free(d->context, extents);
    return status;
}
