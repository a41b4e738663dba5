#include "base/memory.h"
#include "base/context.h"
#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Before each block: what the caller's allocator returned, and the bytes to give back to the budget. */
typedef struct block_header {
    void *base;
    size_t bytes;
} block_header;

enum { ALIGNMENT = 64 };

static bool budget_take(sae_context *context, size_t bytes)
{
    uint64_t used = atomic_load_explicit(&context->used, memory_order_relaxed);
    do {
        if (bytes == SIZE_MAX || bytes > context->memory_limit || used > context->memory_limit - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&context->used, &used, used + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

sae_status saei_memory_take(sae_context *context, size_t bytes, sae_error *err)
{
    if (budget_take(context, bytes))
        return SAE_OK;
    return saei_fail(err, SAE_E_MEMORY,
                     "%.1f MB more would pass the memory limit of %.1f MB (%.1f MB in use); raise the limit",
                     (double)bytes / 1e6, (double)context->memory_limit / 1e6,
                     (double)sae_context_memory_used(context) / 1e6);
}

void saei_memory_return(sae_context *context, size_t bytes)
{
    atomic_fetch_sub_explicit(&context->used, bytes, memory_order_relaxed);
}

/* Kernels read rows of large matrices in any order: with small pages each row is a miss of the page tables.
   Where the system has no large ones to give, nothing changes. */
static void ask_for_huge_pages(char *block, size_t bytes)
{
    const uintptr_t huge = (uintptr_t)2 << 20;
    uintptr_t first = ((uintptr_t)block + huge - 1) / huge * huge,
              end = ((uintptr_t)block + bytes) / huge * huge;
    if (end > first + huge)
        madvise((void *)first, end - first, MADV_HUGEPAGE);
}

sae_status saei_alloc(void *out, sae_context *context, size_t count, size_t size, sae_error *err)
{
    void *nothing = NULL;
    memcpy(out, &nothing, sizeof nothing);
    size_t wanted = saei_mul(count, size);
    size_t bytes = saei_add(wanted, sizeof(block_header) + ALIGNMENT);
    sae_status status = saei_memory_take(context, bytes, err);
    if (status != SAE_OK)
        return status;
    char *base = context->zeroed_allocator ? calloc(1, bytes)
                                           : context->allocator.alloc(context->allocator.user, bytes);
    if (base == NULL) {
        saei_memory_return(context, bytes);
        return saei_fail(err, SAE_E_MEMORY, "out of memory: the allocator refused %.1f MB",
                         (double)bytes / 1e6);
    }
    uintptr_t first = (uintptr_t)base + sizeof(block_header);
    char *block = base + sizeof(block_header) + (ALIGNMENT - first % ALIGNMENT) % ALIGNMENT;
    block_header header = {base, bytes};
    memcpy(block - sizeof header, &header, sizeof header);
    ask_for_huge_pages(block, wanted);
    if (!context->zeroed_allocator)
        memset(block, 0, wanted);
    memcpy(out, &block, sizeof block);
    return SAE_OK;
}

void saei_free(sae_context *context, void *block)
{
    if (block == NULL)
        return;
    block_header header;
    memcpy(&header, (char *)block - sizeof header, sizeof header);
    context->allocator.free(context->allocator.user, header.base);
    saei_memory_return(context, header.bytes);
}

sae_status saei_grow(void *block, sae_context *context, size_t old_count, size_t new_count, size_t size,
                     sae_error *err)
{
    void *old, *grown;
    memcpy(&old, block, sizeof old);
    sae_status status = saei_alloc(&grown, context, new_count, size, err);
    if (status != SAE_OK)
        return status;
    if (old != NULL)
        memcpy(grown, old, old_count * size);
    saei_free(context, old);
    memcpy(block, &grown, sizeof grown);
    return SAE_OK;
}

sae_status saei_strdup(char **out, sae_context *context, const char *text, sae_error *err)
{
    size_t bytes = strlen(text) + 1;
    sae_status status = saei_alloc(out, context, bytes, 1, err);
    if (status == SAE_OK)
        memcpy(*out, text, bytes);
    return status;
}
