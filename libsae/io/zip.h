/* ZIP archives as NumPy (.npz) and PyTorch (.pt) write them: stored and deflated members, zip64, data
   descriptors. Names are names, never paths.
   Source: PKWARE APPNOTE 6.3.10, read from the central directory alone. */
#ifndef SAEI_ZIP_H
#define SAEI_ZIP_H

#include "io/byte_run.h"

typedef struct saei_zip_member {
    const char *name;
    uint64_t bytes;  /* once inflated */
    uint64_t stored; /* in the archive */
    bool deflated;
} saei_zip_member;

typedef struct saei_zip saei_zip;

/* Checks the whole directory: every member within the file and apart from the others, its local header
   present under the same name, no name twice, neither encryption nor other methods nor other disks, and no
   member that would inflate to more than 256 MB and to over 200 times its size. SAE_E_FORMAT,
   SAE_E_UNSUPPORTED. The file must outlive the archive. */
sae_status saei_zip_open(saei_zip **out, sae_context *context, const saei_input_file *file, sae_error *err);
void saei_zip_free(saei_zip *zip);

size_t saei_zip_count(const saei_zip *zip);
const saei_zip_member *saei_zip_at(const saei_zip *zip, size_t i); /* in the order of the directory */
const saei_zip_member *saei_zip_find(const saei_zip *zip, const char *name); /* NULL: absent */

/* The comment of the archive; not terminated, NULL without one. */
const char *saei_zip_comment(const saei_zip *zip, size_t *bytes);

/* The bytes of a member, read in place where it is stored. A first pass from its start to its end compares
   the CRC-32. Not thread-safe: one read of an archive at a time. */
saei_byte_run saei_zip_run(const saei_zip_member *member);

/* Reads every member that was not read from its start to its end yet, and so compares all CRCs. */
sae_status saei_zip_check(saei_zip *zip, sae_error *err);

#endif
