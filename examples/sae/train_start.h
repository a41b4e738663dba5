/* How a training begins, by what an earlier one has left: the model, a checkpoint, or nothing. */
#ifndef TRAIN_START_H
#define TRAIN_START_H

#include <stdbool.h>

typedef enum train_start {
    TRAIN_FRESH,
    TRAIN_RESUME,
    TRAIN_COMPLETE, /* the model is there and no checkpoint is newer */
    TRAIN_REFUSED   /* the reason has been printed */
} train_start;

train_start train_start_decide(const char *model, const char *checkpoint, bool resume, bool force);

/* Removes the checkpoint and the one before it. */
void train_checkpoint_remove(const char *checkpoint);

#endif
