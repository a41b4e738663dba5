/* Allocation through the context: counted, bounded, 64-byte aligned, zeroed. */
#ifndef SAEI_MEMORY_H
#define SAEI_MEMORY_H

#include "sae/base.h"

/* a * b, or SIZE_MAX when that wraps: an allocation of SIZE_MAX always fails, so sizes need one check only.
 */
static inline size_t saei_mul(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static inline size_t saei_add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static inline size_t saei_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* *out = count * size zeroed bytes (never NULL for count 0). On failure *out is NULL and err says how much
   was wanted: SAE_E_MEMORY. Thread-safe. */
sae_status saei_alloc(void *out, sae_context *context, size_t count, size_t size, sae_error *err);

/* Frees what saei_alloc gave; NULL is fine. */
void saei_free(sae_context *context, void *block);

/* Counts memory that is not from saei_alloc, such as a mapping shared with another process, against the
   limit. SAE_E_MEMORY when that would be passed. */
sae_status saei_memory_take(sae_context *context, size_t bytes, sae_error *err);
void saei_memory_return(sae_context *context, size_t bytes);

/* Grows *block (saei_alloc'ed, holding old_count items) to at least new_count items; contents kept, tail
 * zeroed. */
sae_status saei_grow(void *block, sae_context *context, size_t old_count, size_t new_count, size_t size,
                     sae_error *err);

sae_status saei_strdup(char **out, sae_context *context, const char *text, sae_error *err);

#endif
