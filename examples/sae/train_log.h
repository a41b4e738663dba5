/* The training log: JSON lines, flushed one by one. Every object has an "event": start, resume, step, heldout
   or end. A log of several SAEs says in "model" which one a line is about. */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include <sae.h>
#include <stdio.h>

typedef struct train_log {
    const char *path;
    FILE *file;     /* NULL: no log wanted */
    uint64_t every; /* steps between two step lines */
} train_log;

/* path NULL: no log. append: keeps what a run that was stopped has written. Complains and returns -1 on
 * failure. */
int train_log_open(train_log *log, const char *path, bool append);

/* model: NULL when there is only one. */
void train_log_begin(train_log *log, const char *model, const char *event, const sae_train_options *chosen, uint64_t step);

/* About a thousand step lines over the run, and every held-out measure. */
void train_log_step(train_log *log, const char *model, const sae_train_metrics *metrics);

/* Whether a write has failed. */
bool train_log_bad(const train_log *log);

int train_log_close(train_log *log);

#endif
