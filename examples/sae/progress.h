/* Progress on stderr: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, terminal;
    bool bar_shown; /* the cursor's line holds a bar */
    char stage[64];
    uint64_t first_done; /* where the stage began, not 0 when resumed */
    double started, shown;
} progress;

void progress_init(progress *p, bool quiet);

/* figures: more text behind the bar, or "". */
void progress_show(progress *p, const char *stage, uint64_t done, uint64_t total, const char *figures);

/* Takes the bar away, before other text goes to the terminal. */
void progress_clear(progress *p);

/* A sae_progress_fn; user is the progress. Asks to stop once a signal came. */
int progress_callback(void *user, const char *stage, uint64_t done, uint64_t total);

/* A sae_log_fn; user is the progress. */
void progress_log(void *user, const char *line);

#endif
