#include "io/zip_write.h"
#include "base/memory.h"
#include "io/crc32.h"
#include "io/zip_records.h"

static uint32_t crc_of(const saei_zip_entry *entry)
{
    uint32_t crc = 0;
    if (entry->head_bytes > 0)
        crc = saei_crc32(crc, entry->head, entry->head_bytes);
    if (entry->body_bytes > 0)
        crc = saei_crc32(crc, entry->body, entry->body_bytes);
    return crc;
}

/* A header of either kind, put together in memory. */
static sae_status write_record(saei_atomic_file *file, sae_context *context, const saei_zip_part *part,
                               size_t bytes, void (*put)(unsigned char *, const saei_zip_part *),
                               sae_error *err)
{
    unsigned char *record;
    sae_status status = saei_alloc(&record, context, bytes, 1, err);
    if (status != SAE_OK)
        return status;
    put(record, part);
    status = saei_atomic_file_write(file, record, bytes, err);
    saei_free(context, record);
    return status;
}

static sae_status write_entry(saei_atomic_file *file, sae_context *context, const saei_zip_part *part,
                              const saei_zip_entry *entry, sae_error *err)
{
    sae_status status =
        write_record(file, context, part, saei_zip_local_bytes(part), saei_zip_put_local, err);
    if (status == SAE_OK)
        status = saei_atomic_file_write(file, entry->head, entry->head_bytes, err);
    return status == SAE_OK ? saei_atomic_file_write(file, entry->body, entry->body_bytes, err) : status;
}

static sae_status write_all(saei_atomic_file *file, sae_context *context, saei_zip_part *parts,
                            const saei_zip_entry *entries, size_t n, sae_error *err)
{
    sae_status status = SAE_OK;
    uint64_t offset = 0, directory = 0;
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        const saei_zip_entry *entry = &entries[i];
        parts[i] = (saei_zip_part){entry->name, entry->head_bytes + entry->body_bytes, offset, crc_of(entry)};
        status = write_entry(file, context, &parts[i], entry, err);
        offset += saei_zip_local_bytes(&parts[i]) + parts[i].bytes;
    }
    for (size_t i = 0; i < n && status == SAE_OK; i++) {
        size_t bytes = saei_zip_central_bytes(&parts[i]);
        status = write_record(file, context, &parts[i], bytes, saei_zip_put_central, err);
        directory += bytes;
    }
    unsigned char end[SAEI_ZIP_END_MAX];
    size_t bytes = saei_zip_put_end(end, n, offset, directory, 0);
    return status == SAE_OK ? saei_atomic_file_write(file, end, bytes, err) : status;
}

sae_status saei_zip_save(sae_context *context, const char *path, saei_replace replace,
                         const saei_zip_entry *entries, size_t n, sae_error *err)
{
    saei_atomic_file *file = NULL;
    saei_zip_part *parts;
    sae_status status = saei_alloc(&parts, context, n, sizeof *parts, err);
    if (status == SAE_OK)
        status = saei_atomic_file_open(&file, context, path, replace, err);
    if (status == SAE_OK)
        status = write_all(file, context, parts, entries, n, err);
    if (status == SAE_OK)
        status = saei_atomic_file_commit(&file, err);
    saei_atomic_file_discard(file);
    saei_free(context, parts);
    return status;
}
