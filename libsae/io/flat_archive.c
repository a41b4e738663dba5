#include "io/flat_archive.h"
#include "base/memory.h"
#include "io/crc32.h"

#include <string.h>

static sae_status make_room(saei_archive_end *end, size_t bytes, sae_error *err)
{
    size_t wanted = saei_add(end->bytes, bytes);
    if (wanted <= end->room)
        return SAE_OK;
    size_t room = wanted > SIZE_MAX / 2 ? wanted : 2 * wanted;
    sae_status status = saei_grow(&end->directory, end->flat->context, end->bytes, room, 1, err);
    end->room = status == SAE_OK ? room : end->room;
    return status;
}

sae_status saei_archive_member(saei_archive_end *end, const saei_zip_part *part, sae_error *err)
{
    sae_context *context = end->flat->context;
    size_t local = saei_zip_local_bytes(part), central = saei_zip_central_bytes(part);
    unsigned char *header;
    sae_status status = make_room(end, central, err);
    if (status == SAE_OK)
        status = saei_alloc(&header, context, local, 1, err);
    if (status != SAE_OK)
        return status;
    saei_zip_put_local(header, part);
    status = saei_atomic_file_write_at(end->flat->file, part->offset, header, local, err);
    saei_free(context, header);
    saei_zip_put_central(end->directory + end->bytes, part);
    end->bytes += central;
    end->n++;
    return status;
}

sae_status saei_archive_append(saei_archive_end *end, const char *name, const void *bytes, size_t n,
                               sae_error *err)
{
    saei_flat_file *flat = end->flat;
    const saei_zip_part part = {name, n, flat->end, saei_crc32(0, bytes, n)};
    uint64_t at = part.offset + saei_zip_local_bytes(&part);
    sae_status status = saei_archive_member(end, &part, err);
    flat->end = at + n;
    return status == SAE_OK ? saei_atomic_file_write_at(flat->file, at, bytes, n, err) : status;
}

sae_status saei_archive_finish(saei_archive_end *end, const char *comment, sae_error *err)
{
    saei_flat_file *flat = end->flat;
    size_t length = comment != NULL ? strlen(comment) : 0;
    unsigned char record[SAEI_ZIP_END_MAX];
    size_t bytes = saei_zip_put_end(record, end->n, flat->end, end->bytes, length);
    sae_status status = saei_atomic_file_write_at(flat->file, flat->end, end->directory, end->bytes, err);
    uint64_t at = flat->end + end->bytes;
    if (status == SAE_OK)
        status = saei_atomic_file_write_at(flat->file, at, record, bytes, err);
    return status == SAE_OK ? saei_atomic_file_write_at(flat->file, at + bytes, comment, length, err)
                            : status;
}

void saei_archive_end_free(saei_archive_end *end)
{
    saei_free(end->flat->context, end->directory);
}
