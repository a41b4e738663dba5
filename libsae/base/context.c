#include "base/context.h"
#include "base/error.h"
#include "base/options.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 1024, WORKER_SECONDS = 30, WORKER_SECONDS_MAX = 86400 };

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

uint64_t saei_half_of_memory(void)
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

/* context->hdf5_worker, with the allocator that *context has already. */
static bool keep_worker_path(sae_context *context, const char *path)
{
    context->hdf5_worker = NULL;
    if (path == NULL)
        return true;
    size_t bytes = strlen(path) + 1;
    context->hdf5_worker = context->allocator.alloc(context->allocator.user, bytes);
    if (context->hdf5_worker != NULL)
        memcpy(context->hdf5_worker, path, bytes);
    return context->hdf5_worker != NULL;
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
    if (opt.worker_seconds > WORKER_SECONDS_MAX)
        return saei_fail(err, SAE_E_ARGUMENT, "worker_seconds: %u; at most %d, a day", opt.worker_seconds,
                         WORKER_SECONDS_MAX);
    if ((opt.allocator.alloc == NULL) != (opt.allocator.free == NULL))
        return saei_fail(err, SAE_E_ARGUMENT, "an allocator needs both alloc and free");
    bool ours = opt.allocator.alloc == NULL;
    if (ours)
        opt.allocator = (sae_allocator){NULL, default_alloc, default_free};
    sae_context *context = opt.allocator.alloc(opt.allocator.user, sizeof *context);
    if (context == NULL)
        return saei_fail(err, SAE_E_MEMORY, "out of memory for a context");
    context->allocator = opt.allocator;
    if (!keep_worker_path(context, opt.hdf5_worker)) {
        opt.allocator.free(opt.allocator.user, context);
        return saei_fail(err, SAE_E_MEMORY, "out of memory for a context");
    }
    context->zeroed_allocator = ours;
    context->memory_limit = opt.memory_limit != 0 ? opt.memory_limit : saei_half_of_memory();
    atomic_init(&context->used, 0);
    context->threads = opt.threads != 0 ? opt.threads : processors_available();
    saei_pool_init(&context->pool, context->threads, processors_available());
    saei_crew_init(&context->crew);
    context->log = opt.log;
    context->log_user = opt.log_user;
    context->trusted = opt.trusted;
    context->worker_seconds = opt.worker_seconds != 0 ? opt.worker_seconds : WORKER_SECONDS;
    *out = context;
    return SAE_OK;
}

void sae_context_free(sae_context *context)
{
    if (context == NULL)
        return;
    sae_allocator allocator = context->allocator;
    saei_pool_destroy(&context->pool, &allocator);
    saei_crew_destroy(&context->crew);
    if (context->hdf5_worker != NULL)
        allocator.free(allocator.user, context->hdf5_worker);
    allocator.free(allocator.user, context);
}

bool saei_context_trusts_files(const sae_context *context)
{
    return context->trusted;
}

const char *saei_context_hdf5_worker(const sae_context *context)
{
    return context->hdf5_worker;
}

unsigned saei_context_worker_seconds(const sae_context *context)
{
    return context->worker_seconds;
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
