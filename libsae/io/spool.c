#include "io/spool.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct saei_spool {
    sae_context *context;
    char *shown;
    int fd; /* -1: not open */
    uint64_t bytes;
};

sae_status saei_spool_new(saei_spool **out, sae_context *context, const char *path, const char *shown,
                          sae_error *err)
{
    *out = NULL;
    saei_spool *spool;
    sae_status status = saei_alloc(&spool, context, 1, sizeof *spool, err);
    if (status != SAE_OK)
        return status;
    *spool = (saei_spool){.context = context, .fd = -1};
    status = saei_strdup(&spool->shown, context, shown, err);
    if (status == SAE_OK) {
        spool->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (spool->fd < 0 || unlink(path) != 0)
            status = saei_fail_errno(err, errno, "%s: cannot create a temporary file beside it", shown);
    }
    if (status != SAE_OK) {
        saei_spool_free(spool);
        return status;
    }
    *out = spool;
    return SAE_OK;
}

void saei_spool_free(saei_spool *spool)
{
    if (spool == NULL)
        return;
    if (spool->fd >= 0)
        close(spool->fd);
    saei_free(spool->context, spool->shown);
    saei_free(spool->context, spool);
}

sae_status saei_spool_append(saei_spool *spool, const void *bytes, size_t n, sae_error *err)
{
    const unsigned char *from = bytes;
    while (n > 0) {
        ssize_t written = write(spool->fd, from, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return saei_fail_errno(err, written < 0 ? errno : ENOSPC, "%s: cannot write", spool->shown);
        from += written;
        n -= (size_t)written;
        spool->bytes += (uint64_t)written;
    }
    return SAE_OK;
}

uint64_t saei_spool_bytes(const saei_spool *spool)
{
    return spool->bytes;
}

sae_status saei_spool_read(void *out, const saei_spool *spool, uint64_t first, size_t n, sae_error *err)
{
    unsigned char *to = out;
    while (n > 0) {
        ssize_t got = pread(spool->fd, to, n, (off_t)first);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return saei_fail_errno(err, got < 0 ? errno : EIO, "%s: cannot read back what waits for it",
                                   spool->shown);
        to += got;
        first += (uint64_t)got;
        n -= (size_t)got;
    }
    return SAE_OK;
}
