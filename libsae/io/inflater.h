/* Work space for inflating the packed chunks of files on several threads. */
#ifndef SAEI_INFLATER_H
#define SAEI_INFLATER_H

#include "sae/base.h"

#include <pthread.h>

enum { SAEI_INFLATE_SLOTS_MAX = 8 };

/* What one thread needs. */
typedef struct saei_inflate_slot {
    unsigned char *stored;   /* [stored_bytes] as in the file */
    unsigned char *inflated; /* [chunk_bytes] */
    void *decoder;
} saei_inflate_slot;

typedef struct saei_inflater {
    sae_context *context;
    pthread_mutex_t in_use; /* one read at a time */
    size_t chunk_bytes, stored_bytes, n_slots;
    saei_inflate_slot slots[SAEI_INFLATE_SLOTS_MAX];
} saei_inflater;

/* For chunks of at most chunk_bytes once inflated. *out is NULL when they are too large to be worth their
   memory under the limit of the context: their files are then read by libhdf5 alone. The number of slots
   does not depend on the number of threads, for what is left of the memory limit must not. */
sae_status saei_inflater_new(saei_inflater **out, sae_context *context, uint64_t chunk_bytes, sae_error *err);
void saei_inflater_free(saei_inflater *inflater);

/* Inflates the zlib stream of `bytes` bytes in slot->stored to slot->inflated. False unless the stream is
   whole and gives exactly `expected` bytes, which must not pass chunk_bytes. */
bool saei_inflate(saei_inflate_slot *slot, size_t bytes, size_t expected);

#endif
