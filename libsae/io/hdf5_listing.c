#include "io/hdf5_listing.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/hdf5_file.h"
#include "io/reader_format.h"

#include <string.h>

/* Fixed sizes, no pointers, no bool or enum: any bytes are a value that can be checked. */
typedef struct listing_head {
    uint64_t n_arrays, n_attributes;
} listing_head;

typedef struct array_record {
    uint64_t name_bytes; /* with the NUL, after the record */
    uint32_t dtype, rank;
    uint64_t shape[SAEI_ARRAY_RANK_MAX], chunk[SAEI_ARRAY_RANK_MAX];
    uint64_t chunk_rows, chunk_bytes, offset;
    uint32_t packed, big_endian;
    int32_t shuffle_at, deflate_at;
} array_record;

typedef struct attribute_record {
    uint64_t name_bytes, value_bytes;
} attribute_record;

enum { FILTERS_MAX = 32 };

static array_record record_of(const saei_array_info *info, const saei_hdf5_dataset *data)
{
    array_record record = {.name_bytes = strlen(info->name) + 1,
                           .dtype = info->dtype,
                           .rank = (uint32_t)info->rank,
                           .chunk_rows = info->chunk_rows,
                           .chunk_bytes = data->packing.chunk_bytes,
                           .offset = data->offset,
                           .packed = data->packing.known,
                           .big_endian = data->packing.big_endian,
                           .shuffle_at = data->packing.shuffle_at,
                           .deflate_at = data->packing.deflate_at};
    memcpy(record.shape, info->shape, sizeof record.shape);
    memcpy(record.chunk, data->packing.chunk, sizeof record.chunk);
    return record;
}

static size_t listing_bytes(const saei_reader *reader)
{
    size_t bytes = sizeof(listing_head);
    for (size_t i = 0; i < saei_reader_count(reader); i++)
        bytes += sizeof(array_record) + strlen(saei_reader_at(reader, i)->name) + 1;
    for (size_t i = 0; i < saei_reader_attributes(reader); i++)
        bytes += sizeof(attribute_record) + strlen(saei_reader_attribute_name(reader, i)) + 1 +
                 strlen(saei_reader_attribute_value(reader, i)) + 1;
    return bytes;
}

static unsigned char *put(unsigned char *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

sae_status saei_hdf5_listing_write(unsigned char **out, size_t *bytes, const saei_hdf5_file *file,
                                   sae_error *err)
{
    const saei_reader *reader = saei_hdf5_file_reader(file);
    listing_head head = {saei_reader_count(reader), saei_reader_attributes(reader)};
    *bytes = listing_bytes(reader);
    sae_status status = saei_alloc(out, saei_reader_context(reader), *bytes, 1, err);
    if (status != SAE_OK)
        return status;
    unsigned char *to = put(*out, &head, sizeof head);
    for (size_t i = 0; i < head.n_arrays; i++) {
        const saei_array_info *info = saei_reader_at(reader, i);
        array_record record = record_of(info, saei_hdf5_file_dataset(file, i));
        to = put(to, &record, sizeof record);
        to = put(to, info->name, record.name_bytes);
    }
    for (size_t i = 0; i < head.n_attributes; i++) {
        const char *name = saei_reader_attribute_name(reader, i),
                   *value = saei_reader_attribute_value(reader, i);
        attribute_record record = {strlen(name) + 1, strlen(value) + 1};
        to = put(to, &record, sizeof record);
        to = put(to, name, record.name_bytes);
        to = put(to, value, record.value_bytes);
    }
    return SAE_OK;
}

/* A listing while it is read. */
typedef struct cursor {
    const unsigned char *at, *end;
    saei_reader *reader;
} cursor;

static bool take(void *out, cursor *c, size_t bytes)
{
    if ((size_t)(c->end - c->at) < bytes)
        return false;
    memcpy(out, c->at, bytes);
    c->at += bytes;
    return true;
}

/* A text of `bytes` bytes with its NUL at the end and nowhere else. */
static bool take_text(const char **out, cursor *c, uint64_t bytes)
{
    if (bytes == 0 || (size_t)(c->end - c->at) < bytes || memchr(c->at, '\0', bytes) != c->at + bytes - 1)
        return false;
    *out = (const char *)c->at;
    c->at += bytes;
    return true;
}

/* The bytes of the array; false when they pass 2^64. */
static bool array_bytes(uint64_t *out, const array_record *r)
{
    *out = saei_dtype_size((saei_dtype)r->dtype);
    for (size_t axis = 0; axis < r->rank; axis++)
        if (__builtin_mul_overflow(*out, r->shape[axis], out))
            return false;
    return true;
}

static bool chunks_are_sane(const array_record *r)
{
    if (r->chunk_bytes == 0)
        return r->chunk_rows == 0 && r->packed == 0;
    uint64_t bytes = saei_dtype_size((saei_dtype)r->dtype);
    for (size_t axis = 0; axis < r->rank; axis++)
        if (r->chunk[axis] == 0 || __builtin_mul_overflow(bytes, r->chunk[axis], &bytes))
            return false;
    return r->rank > 0 && bytes == r->chunk_bytes && bytes <= UINT32_MAX && r->chunk_rows == r->chunk[0];
}

static bool record_is_sane(const array_record *r, uint64_t file_bytes)
{
    uint64_t bytes;
    if (r->dtype > SAEI_F8_E5M2 || r->rank > SAEI_ARRAY_RANK_MAX || r->packed > 1 || r->big_endian > 1 ||
        !array_bytes(&bytes, r) || !chunks_are_sane(r))
        return false;
    if (r->shuffle_at < -1 || r->shuffle_at >= FILTERS_MAX || r->deflate_at < -1 ||
        r->deflate_at >= FILTERS_MAX)
        return false;
    return r->offset == SAEI_HDF5_NOT_PLAIN || (r->offset <= file_bytes && bytes <= file_bytes - r->offset);
}

static sae_status untrue(const cursor *c, sae_error *err)
{
    return saei_fail(err, SAE_E_FORMAT, "%s: damaged: it led the HDF5 worker to impossible answers",
                     saei_reader_path(c->reader));
}

static sae_status read_array(saei_hdf5_dataset *out, cursor *c, sae_error *err)
{
    array_record r;
    saei_array_info info = {0};
    if (!take(&r, c, sizeof r) || !take_text(&info.name, c, r.name_bytes) ||
        !record_is_sane(&r, saei_reader_input(c->reader)->bytes))
        return untrue(c, err);
    info.dtype = (saei_dtype)r.dtype;
    info.rank = r.rank;
    info.chunk_rows = r.chunk_rows;
    info.packed_bytes = r.packed == 1 ? r.chunk_bytes : 0;
    memcpy(info.shape, r.shape, sizeof info.shape);
    out->offset = r.offset;
    out->packing = (saei_hdf5_packing){.known = r.packed == 1,
                                       .shuffle_at = r.shuffle_at,
                                       .deflate_at = r.deflate_at,
                                       .chunk_bytes = r.chunk_bytes,
                                       .big_endian = r.big_endian == 1};
    memcpy(out->packing.chunk, r.chunk, sizeof out->packing.chunk);
    saei_hdf5_place(&info, out, saei_reader_run(c->reader));
    return saei_reader_add_array(c->reader, &info, err);
}

static sae_status read_attribute(cursor *c, sae_error *err)
{
    attribute_record r;
    const char *name, *value;
    if (!take(&r, c, sizeof r) || !take_text(&name, c, r.name_bytes) || !take_text(&value, c, r.value_bytes))
        return untrue(c, err);
    return saei_reader_add_attribute(c->reader, name, value, err);
}

sae_status saei_hdf5_listing_read(saei_hdf5_dataset **out, saei_reader *reader, const unsigned char *listing,
                                  size_t bytes, sae_error *err)
{
    *out = NULL;
    cursor c = {listing, listing + bytes, reader};
    listing_head head;
    if (!take(&head, &c, sizeof head) || head.n_arrays > bytes / sizeof(array_record))
        return untrue(&c, err);
    saei_hdf5_dataset *datasets;
    sae_status status =
        saei_alloc(&datasets, saei_reader_context(reader), (size_t)head.n_arrays, sizeof *datasets, err);
    for (uint64_t i = 0; status == SAE_OK && i < head.n_arrays; i++)
        status = read_array(&datasets[i], &c, err);
    for (uint64_t i = 0; status == SAE_OK && i < head.n_attributes; i++)
        status = read_attribute(&c, err);
    if (status == SAE_OK && c.at != c.end)
        status = untrue(&c, err);
    if (status == SAE_OK)
        *out = datasets;
    else
        saei_free(saei_reader_context(reader), datasets);
    return status;
}
