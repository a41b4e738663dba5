/* The inside of the context; only base/ looks at the fields. */
#ifndef SAEI_CONTEXT_H
#define SAEI_CONTEXT_H

#include "base/crew.h"
#include "base/pool.h"

struct sae_context {
    sae_allocator allocator;
    bool zeroed_allocator; /* the default one: blocks come zeroed, and take no memory before they are used */
    uint64_t memory_limit;
    _Atomic uint64_t used;
    unsigned threads;
    saei_pool pool;
    saei_crew crew; /* files that have a worker process */
    sae_log_fn log;
    void *log_user;
    bool trusted;
    char *hdf5_worker; /* NULL: none was named */
    unsigned worker_seconds;
};

/* Sends one line to the log of the context. */
void saei_log(const sae_context *context, const char *format, ...) SAE_PRINTF(2, 3);

/* The options of these names; saei_context_hdf5_worker is NULL where none was named. */
bool saei_context_trusts_files(const sae_context *context);
const char *saei_context_hdf5_worker(const sae_context *context);
unsigned saei_context_worker_seconds(const sae_context *context);

/* Half the bytes of this machine's memory. */
uint64_t saei_half_of_memory(void);

/* The bytes that may still be allocated under the context's limit. */
uint64_t saei_memory_left(const sae_context *context);

/* Whether at most half of the limit would be taken with so many bytes more. */
bool saei_memory_ample(const sae_context *context, uint64_t bytes);

#endif
