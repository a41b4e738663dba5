/* A run of bytes that is read by position: a whole file, or a member of an archive, packed or not. */
#ifndef SAEI_BYTE_RUN_H
#define SAEI_BYTE_RUN_H

#include "io/input_file.h"

typedef struct saei_byte_run {
    /* Exactly `bytes` bytes from `offset` on, which the caller has kept within `bytes` of the run. */
    sae_status (*read)(void *out, void *state, uint64_t offset, size_t bytes, sae_error *err);
    void *state;
    uint64_t bytes;
    const saei_input_file *file; /* which the run is, whole: then several threads may read at once; or NULL */
    const char *name;            /* for messages: "FILE" or "FILE: MEMBER" */
    bool forward;         /* reading backwards means inflating anew: read it in large pieces, in order */
    sae_context *context; /* for work space */
} saei_byte_run;

/* The whole file, which must outlive the run. */
saei_byte_run saei_byte_run_of_file(const saei_input_file *file, sae_context *context);

/* Reads within the run; beyond its end is SAE_E_FORMAT: cut off. */
sae_status saei_byte_run_read(void *out, const saei_byte_run *run, uint64_t offset, size_t bytes,
                              sae_error *err);

#endif
