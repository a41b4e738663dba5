/* Builds small ZIP archives byte by byte, damaged ones too. */
#ifndef ZIP_BUILDER_H
#define ZIP_BUILDER_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct zip_bytes {
    unsigned char *data;
    size_t n, room;
} zip_bytes;

typedef struct zip_entry {
    const char *name;
    uint32_t crc, stored, bytes, at;
    bool deflated;
} zip_entry;

typedef struct zip_builder {
    zip_bytes file;
    zip_entry entries[40];
    size_t n;
} zip_builder;

static inline void put_bytes(zip_bytes *to, const void *data, size_t n)
{
    if (to->n + n > to->room) {
        to->room = 2 * (to->n + n) + 64;
        to->data = realloc(to->data, to->room);
        ck_assert_ptr_nonnull(to->data);
    }
    if (n > 0)
        memcpy(to->data + to->n, data, n);
    to->n += n;
}

static inline void put_number(zip_bytes *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        put_bytes(to, &byte, 1);
    }
}

/* The fields that the local header and the directory share. */
static inline void put_entry(zip_bytes *to, const zip_entry *entry)
{
    put_number(to, 0, 2); /* flags */
    put_number(to, entry->deflated ? 8 : 0, 2);
    put_number(to, 0, 4); /* time and date */
    put_number(to, entry->crc, 4);
    put_number(to, entry->stored, 4);
    put_number(to, entry->bytes, 4);
    put_number(to, strlen(entry->name), 2);
    put_number(to, 0, 2); /* extra */
}

/* A raw deflate stream, to be freed. */
static inline unsigned char *zip_deflate(size_t *packed, const void *data, size_t n)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&stream, n);
    unsigned char *out = malloc(room);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)n;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *packed = stream.total_out;
    deflateEnd(&stream);
    return out;
}

/* Adds a member; the caller may change its entry before zip_finish, which writes the directory. */
static inline zip_entry *zip_add(zip_builder *zip, const char *name, const void *data, size_t n,
                                 bool deflated)
{
    zip_entry *entry = &zip->entries[zip->n++];
    size_t stored = n;
    unsigned char *packed = deflated ? zip_deflate(&stored, data, n) : NULL;
    *entry = (zip_entry){
        name,    (uint32_t)crc32(0, data, (uInt)n), (uint32_t)stored, (uint32_t)n, (uint32_t)zip->file.n,
        deflated};
    put_bytes(&zip->file, "PK\3\4\24\0", 6);
    put_entry(&zip->file, entry);
    put_bytes(&zip->file, name, strlen(name));
    put_bytes(&zip->file, deflated ? packed : data, stored);
    free(packed);
    return entry;
}

static inline void zip_finish(zip_builder *zip)
{
    size_t start = zip->file.n;
    for (size_t i = 0; i < zip->n; i++) {
        put_bytes(&zip->file, "PK\1\2\24\0\24\0", 8);
        put_entry(&zip->file, &zip->entries[i]);
        put_bytes(&zip->file, "\0\0\0\0\0\0\0\0\0", 10); /* comment, disk, attributes */
        put_number(&zip->file, zip->entries[i].at, 4);
        put_bytes(&zip->file, zip->entries[i].name, strlen(zip->entries[i].name));
    }
    size_t bytes = zip->file.n - start;
    put_bytes(&zip->file, "PK\5\6\0\0\0\0", 8);
    put_number(&zip->file, zip->n, 2);
    put_number(&zip->file, zip->n, 2);
    put_number(&zip->file, bytes, 4);
    put_number(&zip->file, start, 4);
    put_number(&zip->file, 0, 2);
}

#endif
