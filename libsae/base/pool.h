/* The worker threads of a context: started at the first parallel loop, asleep when the next one does not come
   soon. */
#ifndef SAEI_POOL_H
#define SAEI_POOL_H

#include "base/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct saei_pool {
    pthread_mutex_t in_use; /* one loop at a time */
    pthread_mutex_t lock;   /* of those that go to sleep, and of those that wake them */
    pthread_cond_t work, done;
    pthread_t *threads;  /* NULL before the first loop */
    unsigned n_threads;  /* those that run, without the caller's */
    unsigned looks;      /* how often one looks for what it waits for before it sleeps */
    atomic_uint running; /* those that have not finished the loop */
    atomic_uint loop;    /* number of the loop, so that each worker enters it once; set last */
    atomic_bool stop;
    saei_task_fn run;
    void *arg;
    size_t n_tasks;
    atomic_size_t next_task;
} saei_pool;

/* Only when each of the threads has a processor of its own do they wait awake. */
void saei_pool_init(saei_pool *pool, unsigned threads, unsigned processors);

/* Ends and joins the threads. No loop may be running. */
void saei_pool_destroy(saei_pool *pool, const sae_allocator *allocator);

#endif
