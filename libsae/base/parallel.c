#include "base/parallel.h"

#include <omp.h>

void saei_parallel_for(const sae_context *context, size_t n_tasks, saei_task_fn run, void *arg)
{
    unsigned threads = sae_context_threads(context);
    if (threads == 1 || n_tasks <= 1) {
        for (size_t task = 0; task < n_tasks; task++)
            run(arg, task, 0);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (size_t task = 0; task < n_tasks; task++)
        run(arg, task, (unsigned)omp_get_thread_num());
}
