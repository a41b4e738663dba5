/* Our loops provide the threads. */
#ifndef SAEI_PARALLEL_H
#define SAEI_PARALLEL_H

#include "sae/base.h"

/* worker: index of per-thread scratch, below sae_context_threads(context) and below the number of tasks. */
typedef void (*saei_task_fn)(void *arg, size_t task, unsigned worker);

/* Runs task 0 .. n_tasks - 1, dynamically scheduled; returns when all are done. What a task computes may
   depend on its index, never on the worker: then results do not depend on the number of threads. When another
   thread is in a loop of the same context, or a task starts a loop itself, the inner tasks run on the calling
   thread. */
void saei_parallel_for(sae_context *context, size_t n_tasks, saei_task_fn run, void *arg);

#endif
