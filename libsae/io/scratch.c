#include "io/scratch.h"
#include "base/context.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Before each block, in memory or in a mapped file; as long as the alignment of saei_alloc. */
typedef struct scratch_header {
    size_t mapped; /* bytes of the mapping; 0: from saei_alloc */
    char padding[64 - sizeof(size_t)];
} scratch_header;

sae_status saei_scratch_open(int *fd, char **name, sae_context *context, sae_error *err)
{
    static const char leaf[] = "/libsae-XXXXXX";
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    *fd = -1;
    sae_status status = saei_alloc(name, context, strlen(folder) + sizeof leaf, 1, err);
    if (status != SAE_OK)
        return status;
    sprintf(*name, "%s%s", folder, leaf);
    *fd = mkostemp(*name, O_CLOEXEC);
    if (*fd >= 0 && unlink(*name) == 0)
        return SAE_OK;
    status = saei_fail_errno(err, errno,
                             "%s: cannot create a temporary file; set TMPDIR to a folder with room", *name);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    saei_free(context, *name);
    *name = NULL;
    return status;
}

/* The space is taken now: a write to a mapping cannot say that the disk is full. */
static sae_status map_file(scratch_header **out, int fd, const char *name, size_t bytes, sae_error *err)
{
    int failure = bytes <= INT64_MAX ? posix_fallocate(fd, 0, (off_t)bytes) : EFBIG;
    if (failure != 0)
        return saei_fail_errno(err, failure,
                               "%s: no room for %.1f MB of a ranking; set TMPDIR or raise the "
                               "memory limit",
                               name, (double)bytes / 1e6);
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        return saei_fail_errno(err, errno, "%s: cannot map %.1f MB", name, (double)bytes / 1e6);
    *out = mapped;
    (*out)->mapped = bytes;
    return SAE_OK;
}

static sae_status alloc_mapped(scratch_header **out, sae_context *context, size_t bytes, sae_error *err)
{
    int fd;
    char *name;
    sae_status status = saei_scratch_open(&fd, &name, context, err);
    if (status != SAE_OK)
        return status;
    status = map_file(out, fd, name, bytes, err);
    close(fd);
    saei_free(context, name);
    return status;
}

sae_status saei_scratch_alloc(void *out, sae_context *context, size_t count, size_t size, sae_error *err)
{
    scratch_header *header = NULL;
    void *block = NULL;
    memcpy(out, &block, sizeof block);
    size_t bytes = saei_add(saei_mul(count, size), sizeof *header);
    sae_status status = saei_memory_ample(context, bytes) ? saei_alloc(&header, context, bytes, 1, err)
                                                          : alloc_mapped(&header, context, bytes, err);
    if (status != SAE_OK)
        return status;
    block = header + 1;
    memcpy(out, &block, sizeof block);
    return SAE_OK;
}

void saei_scratch_free(sae_context *context, void *block)
{
    if (block == NULL)
        return;
    scratch_header *header = (scratch_header *)block - 1;
    if (header->mapped > 0)
        munmap(header, header->mapped);
    else
        saei_free(context, header);
}
