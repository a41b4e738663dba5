/* A deflated run of a file, read by position: forwards it is one stream; backwards it starts again at the
   nearest checkpoint, a copy of the decoder's state. */
#ifndef SAEI_INFLATE_MEMBER_H
#define SAEI_INFLATE_MEMBER_H

#include "io/input_file.h"

typedef struct saei_inflate_member saei_inflate_member;

typedef struct saei_packed_run {
    const saei_input_file *file;
    uint64_t start, stored, bytes; /* where it lies, its size there, its size once inflated */
    const char *name;              /* for messages; outlives the member */
} saei_packed_run;

/* Takes about 50 kB, and as much again for every checkpoint: at most 256 of them, none when memory is short.
 */
sae_status saei_inflate_member_new(saei_inflate_member **out, sae_context *context,
                                   const saei_packed_run *run, sae_error *err);
void saei_inflate_member_free(saei_inflate_member *member);

/* offset + bytes <= run.bytes. A stream that is damaged, or does not end after run.bytes bytes, is
   SAE_E_FORMAT; never are more bytes than these inflated. */
sae_status saei_inflate_member_read(void *out, saei_inflate_member *member, uint64_t offset, size_t bytes,
                                    sae_error *err);

#endif
