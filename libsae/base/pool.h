/* The worker threads of a context: started at the first parallel loop, asleep between loops. */
#ifndef SAEI_POOL_H
#define SAEI_POOL_H

#include "base/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct saei_pool {
    pthread_mutex_t in_use; /* one loop at a time */
    pthread_mutex_t lock;   /* guards all below but next_task */
    pthread_cond_t work, done;
    pthread_t *threads; /* NULL before the first loop */
    unsigned n_threads; /* those that run, without the caller's */
    unsigned running;   /* those that have not finished the loop */
    uint64_t loop;      /* number of the loop, so that each worker enters it once */
    bool stop;
    saei_task_fn run;
    void *arg;
    size_t n_tasks;
    atomic_size_t next_task;
} saei_pool;

void saei_pool_init(saei_pool *pool);

/* Ends and joins the threads. No loop may be running. */
void saei_pool_destroy(saei_pool *pool, const sae_allocator *allocator);

#endif
