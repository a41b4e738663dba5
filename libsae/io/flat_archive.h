/* Arrays as the stored members of a ZIP archive: what .npz and .pt share. */
#ifndef SAEI_FLAT_ARCHIVE_H
#define SAEI_FLAT_ARCHIVE_H

#include "io/flat_file.h"
#include "io/zip_records.h"

/* The directory of an archive while its members are put in. Begins as {flat}. */
typedef struct saei_archive_end {
    saei_flat_file *flat;
    unsigned char *directory;
    size_t n, bytes, room;
} saei_archive_end;

/* Writes the local header of a member whose bytes are behind the place of the header. */
sae_status saei_archive_member(saei_archive_end *end, const saei_zip_part *part, sae_error *err);
/* Writes a small member behind all there is. */
sae_status saei_archive_append(saei_archive_end *end, const char *name, const void *bytes, size_t n,
                               sae_error *err);
/* Writes the directory and the end record. comment [at most 65535 bytes] may be NULL. */
sae_status saei_archive_finish(saei_archive_end *end, const char *comment, sae_error *err);
void saei_archive_end_free(saei_archive_end *end);

#endif
