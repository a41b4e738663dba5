#include "io/zip.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/crc32.h"
#include "io/inflate_member.h"
#include "io/zip_directory.h"

#include <stdlib.h>
#include <string.h>

/* Members whose decoder is kept: a matrix and some of its columns are read in turn. */
enum { INFLATING_MAX = 4 };

typedef struct member {
    saei_zip_member info;
    saei_zip *zip;
    char *label; /* "FILE: NAME"; the name is its end */
    uint64_t data_start;
    uint32_t crc;      /* as the directory has it */
    uint32_t crc_seen; /* of the first `seen` bytes */
    uint64_t seen;
} member;

typedef struct inflating {
    const member *member; /* NULL: free */
    saei_inflate_member *decoder;
    uint64_t used; /* when it was used last */
} inflating;

struct saei_zip {
    sae_context *context;
    const saei_input_file *file;
    member *members;
    size_t n_members;
    const member **by_name;
    inflating inflating[INFLATING_MAX];
    uint64_t turn;
    char *comment; /* [comment_bytes] */
    size_t comment_bytes;
};

static sae_status add_member(void *user, const saei_zip_record *record, sae_error *err)
{
    saei_zip *zip = user;
    member *m = &zip->members[zip->n_members];
    size_t path_length = strlen(zip->file->path);
    sae_status status =
        saei_alloc(&m->label, zip->context, path_length + 2 + record->name_length + 1, 1, err);
    if (status != SAE_OK)
        return status;
    zip->n_members++;
    memcpy(m->label, zip->file->path, path_length);
    memcpy(m->label + path_length, ": ", 2);
    memcpy(m->label + path_length + 2, record->name, record->name_length);
    m->zip = zip;
    m->data_start = record->data_start;
    m->crc = record->crc;
    m->info = (saei_zip_member){.name = m->label + path_length + 2,
                                .bytes = record->bytes,
                                .stored = record->stored,
                                .deflated = record->deflated};
    return SAE_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const member *const *)a)->info.name, (*(const member *const *)b)->info.name);
}

static sae_status sort_names(saei_zip *zip, sae_error *err)
{
    sae_status status = saei_alloc(&zip->by_name, zip->context, zip->n_members, sizeof *zip->by_name, err);
    if (status != SAE_OK)
        return status;
    for (size_t i = 0; i < zip->n_members; i++)
        zip->by_name[i] = &zip->members[i];
    qsort(zip->by_name, zip->n_members, sizeof *zip->by_name, by_name);
    for (size_t i = 1; i < zip->n_members; i++)
        if (by_name(&zip->by_name[i - 1], &zip->by_name[i]) == 0)
            return saei_fail(err, SAE_E_FORMAT, "%s: the archive has this member twice; save it anew",
                             zip->by_name[i]->label);
    return SAE_OK;
}

static sae_status read_comment(saei_zip *zip, size_t bytes, sae_error *err)
{
    if (bytes == 0)
        return SAE_OK;
    sae_status status = saei_alloc(&zip->comment, zip->context, bytes, 1, err);
    if (status == SAE_OK)
        status = saei_input_file_read(zip->comment, zip->file, zip->file->bytes - bytes, bytes, err);
    zip->comment_bytes = bytes;
    return status;
}

sae_status saei_zip_open(saei_zip **out, sae_context *context, const saei_input_file *file, sae_error *err)
{
    *out = NULL;
    saei_zip *zip;
    saei_zip_directory directory = {0};
    sae_status status = saei_alloc(&zip, context, 1, sizeof *zip, err);
    if (status != SAE_OK)
        return status;
    zip->context = context;
    zip->file = file;
    status = saei_zip_directory_read(&directory, context, file, err);
    if (status == SAE_OK)
        status = saei_alloc(&zip->members, context, directory.n_records, sizeof *zip->members, err);
    if (status == SAE_OK)
        status = saei_zip_directory_each(&directory, add_member, zip, err);
    if (status == SAE_OK)
        status = sort_names(zip, err);
    if (status == SAE_OK)
        status = read_comment(zip, directory.comment_bytes, err);
    saei_zip_directory_free(&directory);
    if (status != SAE_OK) {
        saei_zip_free(zip);
        return status;
    }
    *out = zip;
    return SAE_OK;
}

void saei_zip_free(saei_zip *zip)
{
    if (zip == NULL)
        return;
    for (size_t i = 0; i < INFLATING_MAX; i++)
        saei_inflate_member_free(zip->inflating[i].decoder);
    for (size_t i = 0; i < zip->n_members; i++)
        saei_free(zip->context, zip->members[i].label);
    saei_free(zip->context, zip->comment);
    saei_free(zip->context, zip->by_name);
    saei_free(zip->context, zip->members);
    saei_free(zip->context, zip);
}

size_t saei_zip_count(const saei_zip *zip)
{
    return zip->n_members;
}

const saei_zip_member *saei_zip_at(const saei_zip *zip, size_t i)
{
    return i < zip->n_members ? &zip->members[i].info : NULL;
}

const char *saei_zip_comment(const saei_zip *zip, size_t *bytes)
{
    *bytes = zip->comment_bytes;
    return zip->comment;
}

const saei_zip_member *saei_zip_find(const saei_zip *zip, const char *name)
{
    const member wanted = {.info = {.name = name}}, *key = &wanted;
    const member *const *found = bsearch(&key, zip->by_name, zip->n_members, sizeof *zip->by_name, by_name);
    return found != NULL ? &(*found)->info : NULL;
}

/* The decoder of the member: its own, or a new one in place of the one that was idle longest. */
static sae_status decoder_of(saei_inflate_member **out, const member *m, sae_error *err)
{
    saei_zip *zip = m->zip;
    inflating *slot = &zip->inflating[0];
    for (size_t i = 0; i < INFLATING_MAX; i++) {
        inflating *other = &zip->inflating[i];
        if (other->member == m) {
            slot = other;
            break;
        }
        if (other->used < slot->used)
            slot = other;
    }
    sae_status status = SAE_OK;
    if (slot->member != m) {
        saei_inflate_member_free(slot->decoder);
        slot->member = NULL;
        const saei_packed_run run = {zip->file, m->data_start, m->info.stored, m->info.bytes, m->label};
        status = saei_inflate_member_new(&slot->decoder, zip->context, &run, err);
        slot->member = status == SAE_OK ? m : NULL;
    }
    slot->used = ++zip->turn;
    *out = slot->decoder;
    return status;
}

/* Goes on with the CRC where the bytes that were read touch its end. */
static sae_status check_crc(member *m, const unsigned char *bytes, uint64_t offset, size_t n, sae_error *err)
{
    if (offset > m->seen || offset + n <= m->seen)
        return SAE_OK;
    size_t known = (size_t)(m->seen - offset);
    m->crc_seen = saei_crc32(m->crc_seen, bytes + known, n - known);
    m->seen = offset + n;
    if (m->seen == m->info.bytes && m->crc_seen != m->crc) {
        m->seen = 0;
        uint32_t found = m->crc_seen;
        m->crc_seen = 0;
        return saei_fail(err, SAE_E_FORMAT, "%s: damaged: CRC-32 %08x, but its directory says %08x", m->label,
                         (unsigned)found, (unsigned)m->crc);
    }
    return SAE_OK;
}

static sae_status read_member(void *out, void *state, uint64_t offset, size_t bytes, sae_error *err)
{
    member *m = state;
    sae_status status;
    if (m->info.deflated) {
        saei_inflate_member *decoder;
        status = decoder_of(&decoder, m, err);
        if (status == SAE_OK)
            status = saei_inflate_member_read(out, decoder, offset, bytes, err);
    } else
        status = saei_input_file_read(out, m->zip->file, m->data_start + offset, bytes, err);
    return status == SAE_OK ? check_crc(m, out, offset, bytes, err) : status;
}

saei_byte_run saei_zip_run(const saei_zip_member *info)
{
    const member *m = (const member *)info; /* info is the first member of the struct */
    return (saei_byte_run){.read = read_member,
                           .state = (void *)m,
                           .bytes = info->bytes,
                           .name = m->label,
                           .forward = info->deflated,
                           .context = m->zip->context};
}

sae_status saei_zip_check(saei_zip *zip, sae_error *err)
{
    enum { PIECE = 1 << 18 };
    unsigned char *piece;
    sae_status status = saei_alloc(&piece, zip->context, PIECE, 1, err);
    for (size_t i = 0; status == SAE_OK && i < zip->n_members; i++) {
        member *m = &zip->members[i];
        if (m->info.bytes == 0 && m->crc != m->crc_seen)
            status = saei_fail(err, SAE_E_FORMAT, "%s: damaged: empty, but with a CRC-32", m->label);
        while (status == SAE_OK && m->seen < m->info.bytes) {
            uint64_t left = m->info.bytes - m->seen;
            status = read_member(piece, m, m->seen, left < PIECE ? (size_t)left : PIECE, err);
        }
    }
    saei_free(zip->context, piece);
    return status;
}
