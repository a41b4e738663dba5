/* Elements that lie one after the other in a run of bytes, read as float32: piece by piece, each converted
   while it is in the cache, for memory is what such a read waits for. */
#ifndef SAEI_ELEMENTS_H
#define SAEI_ELEMENTS_H

#include "io/byte_run.h"
#include "io/dtype.h"
#include "io/lone_reader.h"

typedef struct saei_elements {
    const saei_byte_run *run;
    uint64_t start;   /* byte of the run */
    saei_dtype dtype; /* little-endian */
    size_t n;
} saei_elements;

/* Reads them into out [n]; *finite becomes false when one is NaN or infinite. The pool reads when `alone` is
   NULL and the run is a file; otherwise the caller does, from its start to its end. */
sae_status saei_elements_read_f32(float *out, bool *finite, const saei_elements *elements,
                                  const saei_lone_reader *alone, sae_error *err);

#endif
