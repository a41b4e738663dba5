/* Trainers while they are made: what those that share one reading of the rows have in common. */
#ifndef SAEI_TRAINER_SET_H
#define SAEI_TRAINER_SET_H

#include "train/trainer.h"

typedef struct saei_trainer_set {
    sae_context *context;
    const sae_dump *dump, *heldout;
    const sae_trainer *leader; /* the first whose sizes are known: the others share its rows; NULL before */
    bool scanned;
    saei_dump_scan_result scan;
} saei_trainer_set;

/* One pass over the data for all, the first time it is asked for; the trainer takes what belongs to it. */
sae_status saei_trainer_set_scan(saei_trainer_set *set, sae_trainer *trainer, sae_error *err);

/* A trainer that goes on from a checkpoint, or from PATH.prev when that is damaged, which the log tells. */
sae_status saei_trainer_set_load(sae_trainer **out, saei_trainer_set *set, const char *path,
                                 const sae_train_options *options, sae_error *err);

/* Says before the message of a failure which one of several failed. Returns status. */
sae_status saei_trainer_set_failed(sae_error *err, sae_status status, size_t i, size_t n,
                                   const sae_trainer *trainer);

#endif
