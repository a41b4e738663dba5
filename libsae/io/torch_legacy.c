/* PyTorch's .pt before 1.6: five pickles (magic number, version, system, object, keys), then for each key the
   number of elements and the elements. */
#include "base/error.h"
#include "base/memory.h"
#include "io/torch_file.h"

#include <stdlib.h>
#include <string.h>

enum { PICKLE_BYTES_MAX = 32 << 20, MAGIC_BYTES = 10, VERSION = 1001 };
static const char magic[MAGIC_BYTES] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

typedef struct storage {
    const char *key;
    uint32_t key_length;
    bool known; /* a tensor has told its size */
    size_t item;
    uint64_t elements, start;
} storage;

typedef struct stream {
    sae_context *context;
    const saei_input_file *file;
    unsigned char *head; /* what the pickles are in */
    size_t head_bytes, at;
    saei_pickle *object, *keys;
    storage *storages; /* in the order of the file */
    storage **by_key;
    size_t n_storages;
} stream;

static sae_status next_pickle(saei_pickle **out, stream *s, sae_error *err)
{
    sae_status status =
        saei_pickle_load(out, s->context, s->head + s->at, s->head_bytes - s->at, s->file->path, err);
    if (status == SAE_OK)
        s->at += saei_pickle_bytes(*out);
    return status;
}

static bool is_little_endian(const saei_pickle *system)
{
    size_t n;
    const saei_pickle_value *items = saei_pickle_items(system, saei_pickle_root(system), &n);
    for (size_t i = 0; i + 1 < n; i += 2)
        if (saei_pickle_is_text(items[i], "little_endian"))
            return items[i + 1].kind == SAEI_PICKLE_BOOL && items[i + 1].as.integer != 0;
    return false;
}

/* Magic number, version and system. */
static sae_status read_preamble(stream *s, sae_error *err)
{
    for (int i = 0; i < 3; i++) {
        saei_pickle *pickle;
        sae_status status = next_pickle(&pickle, s, err);
        if (status != SAE_OK)
            return status;
        saei_pickle_value root = saei_pickle_root(pickle);
        bool right = i == 0 ? root.kind == SAEI_PICKLE_LONG && root.length == MAGIC_BYTES &&
                                  memcmp(root.as.text, magic, MAGIC_BYTES) == 0
                     : i == 1 ? root.kind == SAEI_PICKLE_INT && root.as.integer == VERSION
                              : root.kind == SAEI_PICKLE_DICT && is_little_endian(pickle);
        saei_pickle_free(pickle);
        if (!right)
            return saei_fail(err, SAE_E_UNSUPPORTED, "%s: %s", s->file->path,
                             i == 0   ? "a Python pickle that torch.save did not write; save tensors with it"
                             : i == 1 ? "a .pt of an unknown version; save it with a newer PyTorch"
                                      : "written on a big-endian machine; save it on another");
    }
    return SAE_OK;
}

static int by_key(const void *a, const void *b)
{
    const storage *x = *(const storage *const *)a, *y = *(const storage *const *)b;
    size_t n = x->key_length < y->key_length ? x->key_length : y->key_length;
    int order = n > 0 ? memcmp(x->key, y->key, n) : 0;
    return order != 0 ? order : (x->key_length > y->key_length) - (x->key_length < y->key_length);
}

static sae_status read_keys(stream *s, sae_error *err)
{
    size_t n;
    const saei_pickle_value *items = saei_pickle_items(s->keys, saei_pickle_root(s->keys), &n);
    bool right = saei_pickle_root(s->keys).kind == SAEI_PICKLE_LIST;
    sae_status status = saei_alloc(&s->storages, s->context, n, sizeof *s->storages, err);
    if (status == SAE_OK)
        status = saei_alloc(&s->by_key, s->context, n, sizeof *s->by_key, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; right && i < n; i++) {
        right = items[i].kind == SAEI_PICKLE_TEXT;
        s->storages[i] = (storage){.key = items[i].as.text, .key_length = items[i].length};
        s->by_key[i] = &s->storages[i];
    }
    if (!right)
        return saei_fail(err, SAE_E_FORMAT, "%s: damaged: no list of storages", s->file->path);
    s->n_storages = n;
    qsort(s->by_key, n, sizeof *s->by_key, by_key);
    for (size_t i = 1; i < n; i++)
        if (by_key(&s->by_key[i - 1], &s->by_key[i]) == 0)
            return saei_fail(err, SAE_E_FORMAT, "%s: damaged: a storage is listed twice", s->file->path);
    return SAE_OK;
}

static sae_status find_storage(saei_torch_storage *out, void *user, const char *key, size_t key_length,
                               uint64_t elements, size_t item, sae_error *err)
{
    stream *s = user;
    const storage wanted = {.key = key, .key_length = (uint32_t)key_length}, *sought = &wanted;
    storage **entry = bsearch(&sought, s->by_key, s->n_storages, sizeof *s->by_key, by_key);
    storage *found = entry != NULL ? *entry : NULL;
    if (found == NULL || (found->known && (found->elements != elements || found->item != item)))
        return saei_fail(err, SAE_E_FORMAT, "%s: damaged: the storage '%.*s' %s", s->file->path,
                         (int)saei_min_size(key_length, 40), key,
                         found == NULL ? "is not in the file" : "has two types or sizes");
    found->known = true;
    found->elements = elements;
    found->item = item;
    *out = (saei_torch_storage){
        .run = saei_byte_run_of_file(s->file, s->context), .start = found->start, .bytes = elements * item};
    return SAE_OK;
}

/* The storages follow one another, each after its number of elements; how wide these are, only the tensors
   tell. */
static sae_status place_storages(stream *s, sae_error *err)
{
    uint64_t at = s->at;
    for (size_t i = 0; i < s->n_storages; i++) {
        storage *p = &s->storages[i];
        unsigned char count[8];
        uint64_t elements = 0;
        sae_status status = saei_input_file_read(count, s->file, at, sizeof count, err);
        if (status != SAE_OK)
            return status;
        memcpy(&elements, count, sizeof elements);
        at += sizeof count;
        if (!p->known || elements != p->elements)
            return saei_fail_at(err, SAE_E_FORMAT, (int64_t)at, "%s: damaged: the storage '%.*s' %s",
                                s->file->path, (int)saei_min_size(p->key_length, 40), p->key,
                                p->known ? "has two sizes" : "belongs to no tensor");
        if (elements * p->item > s->file->bytes - at)
            return saei_fail_at(err, SAE_E_FORMAT, (int64_t)s->file->bytes,
                                "%s: cut off: the storage '%.*s' needs %llu bytes", s->file->path,
                                (int)saei_min_size(p->key_length, 40), p->key,
                                (unsigned long long)(elements * p->item));
        p->start = at;
        at += elements * p->item;
    }
    if (at != s->file->bytes)
        return saei_fail_at(err, SAE_E_FORMAT, (int64_t)at, "%s: damaged: bytes after the last storage",
                            s->file->path);
    return SAE_OK;
}

static sae_status read_head(stream *s, sae_error *err)
{
    s->head_bytes = s->file->bytes < PICKLE_BYTES_MAX ? (size_t)s->file->bytes : PICKLE_BYTES_MAX;
    sae_status status = saei_alloc(&s->head, s->context, s->head_bytes, 1, err);
    return status == SAE_OK ? saei_input_file_read(s->head, s->file, 0, s->head_bytes, err) : status;
}

static sae_status read_stream(saei_torch_file *file, saei_reader *reader, stream *s, sae_error *err)
{
    sae_status status = read_head(s, err);
    if (status == SAE_OK)
        status = read_preamble(s, err);
    if (status == SAE_OK)
        status = next_pickle(&s->object, s, err);
    if (status == SAE_OK)
        status = next_pickle(&s->keys, s, err);
    if (status == SAE_OK)
        status = read_keys(s, err);
    if (status != SAE_OK)
        return status;
    const saei_torch_source source = {s->object, s->file->path, s->file->bytes, find_storage, s};
    saei_torch_tensors sizes = {0};
    status = saei_torch_tensors_find(&sizes, s->context, &source, err);
    saei_torch_tensors_free(&sizes);
    if (status == SAE_OK)
        status = place_storages(s, err);
    return status == SAE_OK ? saei_torch_file_fill(file, reader, &source, err) : status;
}

sae_status saei_torch_open_legacy(saei_reader *reader, sae_error *err)
{
    saei_torch_file *file;
    sae_status status = saei_torch_file_new(&file, reader, NULL, err);
    if (status != SAE_OK)
        return status;
    stream s = {.context = saei_reader_context(reader), .file = saei_reader_input(reader)};
    status = read_stream(file, reader, &s, err);
    saei_pickle_free(s.object);
    saei_pickle_free(s.keys);
    saei_free(s.context, s.by_key);
    saei_free(s.context, s.storages);
    saei_free(s.context, s.head);
    return status;
}
