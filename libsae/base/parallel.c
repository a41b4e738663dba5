#include "base/parallel.h"
#include "base/context.h"

/* A worker of a pool, numbered from 1: the calling thread is worker 0. */
typedef struct worker_start {
    saei_pool *pool;
    unsigned number;
} worker_start;

void saei_pool_init(saei_pool *pool)
{
    *pool = (saei_pool){.threads = NULL};
    pthread_mutex_init(&pool->in_use, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    atomic_init(&pool->next_task, 0);
}

void saei_pool_destroy(saei_pool *pool, const sae_allocator *allocator)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
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

static void *work(void *argument)
{
    worker_start *start = argument;
    saei_pool *pool = start->pool;
    unsigned number = start->number;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->loop == seen)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->loop;
        pthread_mutex_unlock(&pool->lock);
        if (number < pool->n_tasks)
            take_tasks(pool, number);
        pthread_mutex_lock(&pool->lock);
        if (--pool->running == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
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
    pthread_mutex_lock(&pool->lock);
    pool->run = run;
    pool->arg = arg;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->next_task, 0);
    pool->running = pool->n_threads;
    pool->loop++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    take_tasks(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->running > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
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
