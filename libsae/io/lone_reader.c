#include "io/lone_reader.h"
#include "base/context.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is read past the cache begins and ends at a page of the file, and so does the memory it goes to. */
enum { PAGE = 4096, BLOCK = 1 << 20 };
/* The cache reads ahead what is less; the block is at most so small a part of the memory that is left. */
enum { FEW_BYTES = 1 << 16, MEMORY_SHARE = 16 };

saei_lone_reader saei_lone_reader_past_cache(sae_context *context)
{
    saei_lone_reader reader = {.context = context};
    if (saei_memory_left(context) / MEMORY_SHARE >= BLOCK &&
        saei_alloc(&reader.memory, context, BLOCK + PAGE, 1, NULL) == SAE_OK)
        reader.block = reader.memory + (PAGE - (uintptr_t)reader.memory % PAGE) % PAGE;
    return reader;
}

void saei_lone_reader_free(saei_lone_reader *reader)
{
    saei_free(reader->context, reader->memory);
    *reader = (saei_lone_reader){0};
}

/* The same file, whatever its path names by now. -1: not to be had. */
static int open_past_cache(const saei_input_file *file)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file->fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
}

size_t saei_lone_reader_fetch(const void **out, const saei_lone_reader *reader, const saei_input_file *file,
                              uint64_t offset, size_t bytes)
{
    size_t before = (size_t)(offset % PAGE), wanted = saei_min_size(bytes, BLOCK - before);
    if (reader->block == NULL || bytes < FEW_BYTES)
        return 0;
    int fd = open_past_cache(file);
    if (fd < 0)
        return 0;
    size_t pages = (before + wanted + PAGE - 1) / PAGE;
    ssize_t got = pread(fd, reader->block, pages * PAGE, (off_t)(offset - before));
    close(fd);
    *out = reader->block + before;
    return got >= (ssize_t)(before + wanted) ? wanted : 0;
}

sae_status saei_lone_reader_read(void *out, const saei_lone_reader *reader, const saei_input_file *file,
                                 uint64_t offset, size_t bytes, sae_error *err)
{
    unsigned char *to = out;
    const void *fetched;
    size_t n;
    while (reader != NULL && (n = saei_lone_reader_fetch(&fetched, reader, file, offset, bytes)) > 0) {
        memcpy(to, fetched, n);
        to += n;
        offset += n;
        bytes -= n;
    }
    return saei_input_file_read(to, file, offset, bytes, err);
}
