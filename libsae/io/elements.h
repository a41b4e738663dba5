/* Elements that lie one after the other in a run of bytes, read as float32: piece by piece, each converted
   while it is in the cache, for memory is what such a read waits for. */
#ifndef SAEI_ELEMENTS_H
#define SAEI_ELEMENTS_H

#include "io/byte_run.h"
#include "io/dtype.h"

/* Who works on a read. */
typedef enum saei_workers { SAEI_POOL_WORKERS, SAEI_CALLER_ONLY } saei_workers;

typedef struct saei_elements {
    const saei_byte_run *run;
    uint64_t start;   /* byte of the run */
    saei_dtype dtype; /* little-endian */
    size_t n;
} saei_elements;

/* Reads them into out [n]; *finite becomes false when one is NaN or infinite. A run that is not shared is
   read by the caller alone, from its start to its end. */
sae_status saei_elements_read_f32(float *out, bool *finite, const saei_elements *elements,
                                  saei_workers workers, sae_error *err);

#endif
