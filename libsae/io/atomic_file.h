/* Files that are whole or absent: written to a temporary beside the target, synced, renamed. */
#ifndef SAEI_ATOMIC_FILE_H
#define SAEI_ATOMIC_FILE_H

#include "sae/base.h"

typedef struct saei_atomic_file saei_atomic_file;

typedef enum saei_replace {
    SAEI_KEEP_EXISTING, /* SAE_E_EXISTS when the target exists, at open and again at commit */
    SAEI_OVERWRITE,
    SAEI_KEEP_PREVIOUS /* overwrite; the old file stays as PATH.prev */
} saei_replace;

/* Creates ".NAME.tmp.PID.N" in the folder of path. Links to files are followed at the target; a target that
   is no regular file is refused. */
sae_status saei_atomic_file_open(saei_atomic_file **out, sae_context *context, const char *path,
                                 saei_replace replace, sae_error *err);
sae_status saei_atomic_file_write(saei_atomic_file *file, const void *bytes, size_t n, sae_error *err);
sae_status saei_atomic_file_printf(saei_atomic_file *file, sae_error *err, const char *format, ...)
    SAE_PRINTF(3, 4);

/* Writes at a place of the file, past its end too; not to be mixed with the calls that write one after the
   other. */
sae_status saei_atomic_file_write_at(saei_atomic_file *file, uint64_t offset, const void *bytes, size_t n,
                                     sae_error *err);

/* The path of the temporary, for libraries that write it themselves (HDF5). */
const char *saei_atomic_file_temporary(const saei_atomic_file *file);

/* Flushes, syncs, renames over the target and syncs the folder; frees *file (set to NULL) in every case. On
   failure the temporary is removed and the old target untouched. */
sae_status saei_atomic_file_commit(saei_atomic_file **file, sae_error *err);

/* Removes the temporary. NULL is fine; after a commit *file is NULL, so `done:` may always call it. */
void saei_atomic_file_discard(saei_atomic_file *file);

#endif
