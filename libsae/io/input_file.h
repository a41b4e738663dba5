/* Input files: regular files only, read by position, every read complete or an error. */
#ifndef SAEI_INPUT_FILE_H
#define SAEI_INPUT_FILE_H

#include "sae/base.h"

typedef struct saei_input_file {
    int fd;           /* -1: closed */
    uint64_t bytes;   /* size when it was opened */
    const char *path; /* borrowed, for messages */
} saei_input_file;

/* Opens a regular file; a FIFO, a folder or a device is an error and never waits. path must outlive *out.
   On failure out->fd is -1. */
sae_status saei_input_file_open(saei_input_file *out, const char *path, sae_error *err);
void saei_input_file_close(saei_input_file *file);

/* Reads exactly `bytes` bytes at `offset`; the end of the file before that is SAE_E_FORMAT. Thread-safe. */
sae_status saei_input_file_read(void *out, const saei_input_file *file, uint64_t offset, size_t bytes,
                                sae_error *err);

/* Fails with what the file seems to be instead of `wanted`: empty, a Git-LFS pointer, a web page
   (SAE_E_FORMAT), a ZIP archive … (SAE_E_UNSUPPORTED). */
sae_status saei_input_file_refuse(const saei_input_file *file, const char *wanted, sae_error *err);

#endif
