#include "io/bucket_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/input_file.h"
#include "io/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const uint64_t NONE = UINT64_MAX;

typedef struct bucket {
    unsigned char *buffer; /* [extent_records * record_bytes]: the records behind the last extent */
    size_t buffered;
    uint64_t count, last_extent; /* NONE: no extent yet */
} bucket;

struct saei_bucket_file {
    sae_context *context;
    char *path;
    int fd;
    size_t record_bytes, extent_records, n_buckets;
    bucket *buckets;
    uint64_t *previous; /* of each extent, the one before it in its bucket */
    size_t n_extents, room;
    unsigned char *buffers;
};

static sae_status create_at(saei_bucket_file *file, const char *path, sae_error *err)
{
    sae_status status = saei_strdup(&file->path, file->context, path, err);
    if (status != SAE_OK)
        return status;
    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return file->fd >= 0 && unlink(path) == 0 ? SAE_OK
                                              : saei_fail_errno(err, errno, "%s: cannot create", path);
}

sae_status saei_bucket_file_new(saei_bucket_file **out, sae_context *context, const char *path,
                                size_t n_buckets, size_t record_bytes, size_t extent_records, sae_error *err)
{
    *out = NULL;
    saei_bucket_file *file;
    size_t extent_bytes = saei_mul(record_bytes, extent_records);
    sae_status status = saei_alloc(&file, context, 1, sizeof *file, err);
    if (status != SAE_OK)
        return status;
    *file = (saei_bucket_file){.context = context,
                               .fd = -1,
                               .record_bytes = record_bytes,
                               .extent_records = extent_records,
                               .n_buckets = n_buckets};
    status =
        path != NULL ? create_at(file, path, err) : saei_scratch_open(&file->fd, &file->path, context, err);
    if (status == SAE_OK)
        status = saei_alloc(&file->buckets, context, n_buckets, sizeof *file->buckets, err);
    if (status == SAE_OK)
        status = saei_alloc(&file->buffers, context, n_buckets, extent_bytes, err);
    if (status != SAE_OK) {
        saei_bucket_file_free(file);
        return status;
    }
    for (size_t i = 0; i < n_buckets; i++)
        file->buckets[i] = (bucket){.buffer = file->buffers + i * extent_bytes, .last_extent = NONE};
    *out = file;
    return SAE_OK;
}

void saei_bucket_file_free(saei_bucket_file *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    saei_free(file->context, file->previous);
    saei_free(file->context, file->buffers);
    saei_free(file->context, file->buckets);
    saei_free(file->context, file->path);
    saei_free(file->context, file);
}

static uint64_t offset_of(const saei_bucket_file *file, uint64_t extent)
{
    return extent * file->extent_records * file->record_bytes;
}

static sae_status write_extent(saei_bucket_file *file, bucket *b, sae_error *err)
{
    if (file->n_extents == file->room) {
        size_t room = file->room > 0 ? 2 * file->room : 64;
        sae_status status =
            saei_grow(&file->previous, file->context, file->n_extents, room, sizeof *file->previous, err);
        if (status != SAE_OK)
            return status;
        file->room = room;
    }
    uint64_t at = offset_of(file, file->n_extents);
    for (size_t done = 0, bytes = b->buffered * file->record_bytes; done < bytes;) {
        ssize_t written = pwrite(file->fd, b->buffer + done, bytes - done, (off_t)(at + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return saei_fail_errno(err, written < 0 ? errno : ENOSPC, "%s: cannot write", file->path);
        done += (size_t)written;
    }
    file->previous[file->n_extents] = b->last_extent;
    b->last_extent = file->n_extents++;
    b->buffered = 0;
    return SAE_OK;
}

sae_status saei_bucket_file_add(unsigned char **record, saei_bucket_file *file, size_t index, sae_error *err)
{
    bucket *b = &file->buckets[index];
    sae_status status = b->buffered == file->extent_records ? write_extent(file, b, err) : SAE_OK;
    if (status != SAE_OK)
        return status;
    *record = b->buffer + b->buffered++ * file->record_bytes;
    b->count++;
    return SAE_OK;
}

sae_status saei_bucket_file_flush(saei_bucket_file *file, sae_error *err)
{
    sae_status status = SAE_OK;
    for (size_t i = 0; i < file->n_buckets && status == SAE_OK; i++)
        if (file->buckets[i].buffered > 0)
            status = write_extent(file, &file->buckets[i], err);
    saei_free(file->context, file->buffers);
    file->buffers = NULL;
    return status;
}

uint64_t saei_bucket_file_count(const saei_bucket_file *file, size_t index)
{
    return file->buckets[index].count;
}

sae_status saei_bucket_file_read(unsigned char *out, const saei_bucket_file *file, size_t index,
                                 sae_error *err)
{
    const bucket *b = &file->buckets[index];
    const saei_input_file input = {file->fd, UINT64_MAX, file->path};
    unsigned char *end = out + b->count * file->record_bytes;
    /* Only the last extent may be short. */
    uint64_t records = (b->count + file->extent_records - 1) % file->extent_records + 1;
    for (uint64_t extent = b->last_extent; extent != NONE; extent = file->previous[extent]) {
        size_t bytes = (size_t)records * file->record_bytes;
        end -= bytes;
        sae_status status = saei_input_file_read(end, &input, offset_of(file, extent), bytes, err);
        if (status != SAE_OK)
            return status;
        records = file->extent_records;
    }
    return SAE_OK;
}
