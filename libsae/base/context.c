#include "base/context.h"
#include "base/error.h"
#include "base/options.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 1024 };

static void *default_alloc(void *user, size_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void default_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static unsigned processors_available(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return 1;
}

static uint64_t half_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : (uint64_t)1 << 30;
}

const char *sae_version(void)
{
    return SAE_VERSION;
}

void sae_context_options_init(sae_context_options *options)
{
    *options = (sae_context_options){.size = sizeof *options};
}

sae_status sae_context_new(sae_context **out, const sae_context_options *options, sae_error *err)
{
    *out = NULL;
    sae_context_options opt;
    sae_context_options_init(&opt);
    sae_status status = saei_options_read(&opt, sizeof opt, options, err);
    if (status != SAE_OK)
        return status;
    if (opt.threads > THREADS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "%u threads: at most %d are supported", opt.threads,
                         THREADS_MAX);
    if ((opt.allocator.alloc == NULL) != (opt.allocator.free == NULL))
        return saei_fail(err, SAE_E_ARGUMENT, "an allocator needs both alloc and free");
    bool ours = opt.allocator.alloc == NULL;
    if (ours)
        opt.allocator = (sae_allocator){NULL, default_alloc, default_free};
    sae_context *context = opt.allocator.alloc(opt.allocator.user, sizeof *context);
    if (context == NULL)
        return saei_fail(err, SAE_E_MEMORY, "out of memory for a context");
    context->allocator = opt.allocator;
    context->zeroed_allocator = ours;
    context->memory_limit = opt.memory_limit != 0 ? opt.memory_limit : half_of_memory();
    atomic_init(&context->used, 0);
    context->threads = opt.threads != 0 ? opt.threads : processors_available();
    saei_pool_init(&context->pool);
    context->log = opt.log;
    context->log_user = opt.log_user;
    *out = context;
    return SAE_OK;
}

void sae_context_free(sae_context *context)
{
    if (context == NULL)
        return;
    sae_allocator allocator = context->allocator;
    saei_pool_destroy(&context->pool, &allocator);
    allocator.free(allocator.user, context);
}

unsigned sae_context_threads(const sae_context *context)
{
    return context->threads;
}

uint64_t sae_context_memory_limit(const sae_context *context)
{
    return context->memory_limit;
}

uint64_t sae_context_memory_used(const sae_context *context)
{
    return atomic_load_explicit(&context->used, memory_order_relaxed);
}

uint64_t saei_memory_left(const sae_context *context)
{
    uint64_t used = sae_context_memory_used(context);
    return used < context->memory_limit ? context->memory_limit - used : 0;
}

bool saei_memory_ample(const sae_context *context, uint64_t bytes)
{
    uint64_t half = context->memory_limit / 2, used = sae_context_memory_used(context);
    return used <= half && bytes <= half - used;
}

void saei_log(const sae_context *context, const char *format, ...)
{
    if (context->log == NULL)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    context->log(context->log_user, line);
}
