/* A thread that reads beside threads that compute. It reads alone, for the pool is theirs; and, given a block
   of memory, past the page cache, for the pages of the cache cost them more than the bytes do: the kernel has
   to find, fill and take back each one. That is for files too large to stay in the cache. */
#ifndef SAEI_LONE_READER_H
#define SAEI_LONE_READER_H

#include "io/input_file.h"

typedef struct saei_lone_reader {
    sae_context *context;
    unsigned char *memory, *block; /* block: where the first page of memory begins; NULL: there is none */
} saei_lone_reader;

/* A reader with a block; without one where little of the memory limit is left. */
saei_lone_reader saei_lone_reader_past_cache(sae_context *context);
void saei_lone_reader_free(saei_lone_reader *reader);

/* Reads past the page cache as many of the bytes at `offset` as fit into the block, where *out points then
   until the next read, and returns their number. 0: read them another way, for there is no block, they are
   few, the file system refuses, or the file ends before them. */
size_t saei_lone_reader_fetch(const void **out, const saei_lone_reader *reader, const saei_input_file *file,
                              uint64_t offset, size_t bytes);

/* As saei_input_file_read, past the page cache where that can be. reader may be NULL. */
sae_status saei_lone_reader_read(void *out, const saei_lone_reader *reader, const saei_input_file *file,
                                 uint64_t offset, size_t bytes, sae_error *err);

#endif
