/* Writing ZIP archives of stored members, as NumPy's .npz and PyTorch's .pt are. */
#ifndef SAEI_ZIP_WRITE_H
#define SAEI_ZIP_WRITE_H

#include "io/atomic_file.h"

/* A member is the bytes of its head and then those of its body; either may be empty. */
typedef struct saei_zip_entry {
    const char *name;
    const void *head, *body;
    size_t head_bytes, body_bytes;
} saei_zip_entry;

/* Writes a whole archive, crash-safe; ZIP64 where sizes or offsets ask for it. The bytes depend on the
   entries alone: the date of every member is 1980-01-01. At most 65534 entries. */
sae_status saei_zip_save(sae_context *context, const char *path, saei_replace replace,
                         const saei_zip_entry *entries, size_t n, sae_error *err);

#endif
