/* What the fuzz targets share: a context that is tight and checked for leaks, the input as a file. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include "sae/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong and ends the run, which a fuzzer reports with the input. */
#define FUZZ_REQUIRE(condition)                                                     \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

static inline sae_context *fuzz_context(void)
{
    static sae_context *context;
    if (context == NULL) {
        sae_context_options options;
        sae_context_options_init(&options);
        options.threads = 1;
        options.memory_limit = (uint64_t)64 << 20;
        options.trusted = true; /* a crash in a worker would be none here */
        FUZZ_REQUIRE(sae_context_new(&context, &options, NULL) == SAE_OK);
    }
    FUZZ_REQUIRE(sae_context_memory_used(context) == 0);
    return context;
}

/* The path of a file that holds the input until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_REQUIRE(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

#endif
