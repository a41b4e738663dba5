#include "base/parallel.h"
#include "base/context.h"

/* A worker of a pool, numbered from 1: the calling thread is worker 0. */
typedef struct worker_start {
    saei_pool *pool;
    unsigned number;
} worker_start;

/* Loops follow each other within microseconds, and to wake a thread takes fifty: so long it looks for the
   next loop, or for the end of this one, before it sleeps. */
enum { LOOKS = 2500 };

static inline void pause_briefly(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#endif
}

void saei_pool_init(saei_pool *pool, unsigned threads, unsigned processors)
{
    *pool = (saei_pool){.looks = threads <= processors ? LOOKS : 0};
    pthread_mutex_init(&pool->in_use, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    atomic_init(&pool->running, 0);
    atomic_init(&pool->loop, 0);
    atomic_init(&pool->stop, false);
    atomic_init(&pool->next_task, 0);
}

/* The lock makes whoever is about to sleep see the change, or hear of it. */
static void tell(saei_pool *pool, pthread_cond_t *whom)
{
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(whom);
    pthread_mutex_unlock(&pool->lock);
}

static void start_loop(saei_pool *pool)
{
    atomic_fetch_add(&pool->loop, 1);
    tell(pool, &pool->work);
}

void saei_pool_destroy(saei_pool *pool, const sae_allocator *allocator)
{
    atomic_store(&pool->stop, true);
    start_loop(pool);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    if (pool->threads != NULL)
        allocator->free(allocator->user, pool->threads);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->in_use);
}

static void take_tasks(saei_pool *pool, unsigned worker)
{
    for (size_t task; (task = atomic_fetch_add(&pool->next_task, 1)) < pool->n_tasks;)
        pool->run(pool->arg, task, worker);
}

/* Returns once there is another loop than the one seen. */
static unsigned await_loop(saei_pool *pool, unsigned seen)
{
    for (unsigned i = 0; i < pool->looks && atomic_load(&pool->loop) == seen; i++)
        pause_briefly();
    if (atomic_load(&pool->loop) == seen) {
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->loop) == seen)
            pthread_cond_wait(&pool->work, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    return atomic_load(&pool->loop);
}

static void await_end(saei_pool *pool)
{
    for (unsigned i = 0; i < pool->looks && atomic_load(&pool->running) > 0; i++)
        pause_briefly();
    if (atomic_load(&pool->running) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->running) > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument)
{
    worker_start *start = argument;
    saei_pool *pool = start->pool;
    unsigned number = start->number;
    unsigned seen = 0;
    while (seen = await_loop(pool, seen), !atomic_load(&pool->stop)) {
        if (number < pool->n_tasks)
            take_tasks(pool, number);
        if (atomic_fetch_sub(&pool->running, 1) == 1)
            tell(pool, &pool->done);
    }
    return NULL;
}

/* Starts what can be started: with fewer threads the loops are slower, never wrong. The start arguments lie
   behind the thread handles and live as long. */
static void start_threads(saei_pool *pool, const sae_context *context)
{
    unsigned wanted = context->threads - 1;
    size_t bytes = wanted * (sizeof(pthread_t) + sizeof(worker_start));
    pool->threads = context->allocator.alloc(context->allocator.user, bytes);
    if (pool->threads == NULL)
        return;
    worker_start *starts = (worker_start *)(void *)(pool->threads + wanted);
    for (unsigned i = 0; i < wanted; i++) {
        starts[i] = (worker_start){pool, i + 1};
        if (pthread_create(&pool->threads[i], NULL, work, &starts[i]) != 0)
            return;
        pool->n_threads++;
    }
}

static void run_with_pool(saei_pool *pool, size_t n_tasks, saei_task_fn run, void *arg)
{
    pool->run = run;
    pool->arg = arg;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->next_task, 0);
    atomic_store(&pool->running, pool->n_threads);
    start_loop(pool);
    take_tasks(pool, 0);
    await_end(pool);
}

void saei_parallel_for(sae_context *context, size_t n_tasks, saei_task_fn run, void *arg)
{
    saei_pool *pool = &context->pool;
    if (context->threads > 1 && n_tasks > 1 && pthread_mutex_trylock(&pool->in_use) == 0) {
        if (pool->threads == NULL)
            start_threads(pool, context);
        run_with_pool(pool, n_tasks, run, arg);
        pthread_mutex_unlock(&pool->in_use);
        return;
    }
    for (size_t task = 0; task < n_tasks; task++)
        run(arg, task, 0);
}
